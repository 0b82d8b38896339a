"""The export of a small network of our own, so that nothing here takes long."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import genmem.features as features
from genmem.features.engines import open_network_engine
from genmem.features.onnx_engine import OnnxEngine
from genmem.features.onnx_export import export_to_onnx
from genmem.features.preprocessing import Stretch
from genmem.features.torch_modules import Normalized
from genmem.features.weights import sha256_of


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 5, 3)

    def forward(self, images):
        return self.layer(images).mean(dim=(2, 3))


class Forgetful(torch.nn.Module):
    """A network whose export, made from a trace, differs from what it does next."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return images.float().mean(dim=(1, 2)) * float(self.calls)


def build(path):
    network = Tiny()
    network.load_state_dict(load_file(path))
    return Normalized(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)).eval()


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.safetensors"
    save_file(Tiny().state_dict(), path)
    return path


@pytest.fixture
def backbone():
    return replace(
        features.find_backbone("inception"),
        name="tiny",
        dimension=5,
        input_size=8,
        preprocessing=Stretch(8, half_pixel=False),
        network=build,
    )


def test_the_export_is_made_once_and_takes_any_batch_size(weights, backbone, monkeypatch):
    digest = sha256_of(weights)
    first, reason = export_to_onnx(backbone, weights, digest)
    assert reason is None
    written = first.stat().st_mtime_ns
    assert export_to_onnx(replace(backbone, network=None), weights, digest) == (first, None)
    assert first.stat().st_mtime_ns == written
    assert sorted(path.suffix for path in first.parent.iterdir()) == [".json", ".onnx"]
    batch = np.random.default_rng(0).random((3, 8, 8, 3), dtype=np.float32) * 255
    rows, _ = OnnxEngine(first, title="tiny", batch_size=3).run(batch)
    with torch.inference_mode():
        expected = build(weights)(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(rows, expected, atol=1e-5)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize(
    "settings",
    [
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: default_dtype(torch.float64),
        lambda: torch.device("meta"),
    ],
)
def test_an_export_does_not_depend_on_torchs_settings(weights, backbone, settings):
    batch = np.random.default_rng(0).random((3, 8, 8, 3), dtype=np.float32) * 255
    with settings():
        model, reason = export_to_onnx(backbone, weights, sha256_of(weights))
        assert reason is None
        rows, _ = OnnxEngine(model, title="tiny", batch_size=3).run(batch)
    with torch.inference_mode():
        expected = build(weights)(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_a_damaged_export_is_made_again(weights, backbone):
    digest = sha256_of(weights)
    path, _ = export_to_onnx(backbone, weights, digest)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    again, reason = export_to_onnx(backbone, weights, digest)
    assert (again, reason) == (path, None)
    OnnxEngine(path, title="tiny", batch_size=1)


def test_other_weights_get_another_export(weights, backbone, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file(Tiny().state_dict(), other)
    ours, _ = export_to_onnx(backbone, weights, sha256_of(weights))
    theirs, _ = export_to_onnx(backbone, other, sha256_of(other))
    assert ours != theirs


def test_a_cache_that_cannot_be_written_is_done_without(weights, backbone, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "file"))
    model, reason = export_to_onnx(backbone, weights, sha256_of(weights))
    assert isinstance(model, bytes)
    assert reason is None


def test_an_export_that_differs_from_torch_is_not_used(weights, backbone):
    odd = replace(backbone, network=lambda path: Forgetful().eval())
    engine = open_network_engine(odd, weights, sha256_of(weights), "cpu")
    assert engine.name == "torch cpu"
    assert engine.note is not None
    assert "run by torch" in engine.note
