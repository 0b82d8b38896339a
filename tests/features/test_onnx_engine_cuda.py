"""ONNX files on CUDA, of a package that can; here its answers are made up."""

import numpy as np
import onnxruntime
import pytest
import torch

from genmem import features

from ..small_networks import convolution

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def sessions(monkeypatch):
    """The providers that sessions are opened with, on a machine with CUDA."""
    opened = []
    session = onnxruntime.InferenceSession

    def open_session(model, options, *, providers):
        opened.append(providers)
        return session(model, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    return opened


def install(monkeypatch, *providers):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*providers])


def test_an_onnx_file_runs_on_cuda_without_tf32_where_onnx_runtime_can(
    tmp_path, monkeypatch, sessions
):
    install(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    path = convolution(tmp_path / "network.onnx")
    extractor = features.load_backbone(path, device="cuda")
    assert extractor.engine == "onnxruntime cuda"
    assert sessions == [
        [("CUDAExecutionProvider", {"use_tf32": "0", "device_id": "0"}), "CPUExecutionProvider"]
    ]
    assert "note" not in extractor.describe()
    assert extractor.run(IMAGES)[0].shape == (2, 4)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_runs_on_the_cpu_elsewhere_and_says_so_where_cuda_was_asked_for(
    tmp_path, monkeypatch, sessions, device
):
    install(monkeypatch, "CPUExecutionProvider")
    extractor = features.load_backbone(convolution(tmp_path / "network.onnx"), device=device)
    assert extractor.engine == "onnxruntime cpu"
    assert sessions == [["CPUExecutionProvider"]]
    assert ("note" in extractor.describe()) == (device == "cuda")
