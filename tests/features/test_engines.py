"""The engines keep to themselves."""

import os
import subprocess
import sys

import numpy as np
import torch

from genmem.features.engines import TorchEngine


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


def test_features_do_not_depend_on_the_precision_of_the_program_around_them():
    """An extraction inside of a training loop's autocast cached bfloat16 rows as float32 ones."""
    torch.manual_seed(0)
    engine = TorchEngine(torch.nn.Linear(512, 64), device="cpu", title="x", batch_size=8)
    batch = np.random.default_rng(0).normal(size=(8, 512)).astype(np.float32)
    expected, _ = engine.run(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rows, _ = engine.run(batch)
        assert torch.is_autocast_enabled("cpu")
    assert np.array_equal(rows, expected)
    precision = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        rows, _ = engine.run(batch)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(precision)
    assert np.array_equal(rows, expected)
