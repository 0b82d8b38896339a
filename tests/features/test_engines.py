"""The engines keep to themselves, and run where they are told to."""

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import genmem
from genmem import features
from genmem.errors import UsageError
from genmem.features.engines import TorchEngine

from ..emulated_devices import EmulatedDevice


def test_running_a_network_writes_nothing_to_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import numpy, genmem\n"
        "extractor = genmem.load_backbone('efficientnet-lite0', device='cpu')\n"
        "image = extractor.transform(numpy.zeros((32, 32, 3), numpy.uint8))\n"
        "print(extractor.run(image[None])[0].shape)"
    )
    environment = {**os.environ, "HOME": str(home), "GENMEM_CACHE": str(tmp_path / "cache")}
    environment.pop("XDG_CACHE_HOME", None)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(1, 1280)"
    assert [path.name for path in home.rglob("*")] == []


class Halves(torch.nn.Module):
    """Makes a tensor of the default type on the default device, as many networks do."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(512, 64)

    def forward(self, images):
        return self.layer(images) * torch.full((64,), 0.5)


@contextmanager
def setting(read, write, value):
    before = read()
    write(value)
    try:
        yield
        assert read() == value
    finally:
        write(before)


@pytest.mark.parametrize(
    "settings",
    [
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: setting(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "high"
        ),
        lambda: setting(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
        lambda: torch.device("meta"),
    ],
)
def test_features_do_not_depend_on_torchs_settings_in_the_program_around_them(settings):
    """An extraction inside of a training loop's autocast cached bfloat16 rows as float32 ones."""
    torch.manual_seed(0)
    engine = TorchEngine(Halves(), device="cpu", title="x", batch_size=8)
    batch = np.random.default_rng(0).normal(size=(8, 512)).astype(np.float32)
    expected, _ = engine.run(batch)
    with settings():
        rows, _ = engine.run(batch)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, expected)


@pytest.mark.parametrize("device", ["cuda", "gpu"])
def test_a_device_that_is_not_here_is_refused_even_where_none_is_needed(device, monkeypatch, noise):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = noise.reshape(12, -1).astype(np.float32)
    for call in (
        lambda: features.load_backbone("pixels", device=device),
        lambda: genmem.score(generated=noise, train=noise, backbone="pixels", device=device),
        lambda: genmem.score(generated=rows, train=rows, device=device),
        lambda: genmem.audit(generated=noise, train=noise, backbone=["pixels"], device=device),
        lambda: genmem.RunningScore(train=rows, device=device),
    ):
        with pytest.raises(UsageError, match=f"device: '{device}' is not available"):
            call()


def test_a_space_that_is_computed_on_the_cpu_says_so_where_another_device_was_asked_for(
    monkeypatch, noise
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with EmulatedDevice("cuda"):
        chosen, automatic = (
            genmem.score(
                generated=noise, train=noise + 1, backbone="pixels", device=device, metrics=["kd"]
            )
            for device in ("cuda", "auto")
        )
    assert "pixels is computed on the CPU: device='cuda' has no effect on it." in chosen.notes
    assert not any("device" in note for note in automatic.notes)
    assert float(chosen["kd"]) == float(automatic["kd"])
