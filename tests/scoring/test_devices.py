"""`score` of rows on a GPU, which is emulated."""

from typing import Any

import numpy as np
import pytest
import torch

import genmem
from genmem.scoring import gpu as gpu_module

from ..emulated_devices import EmulatedDevice

RANDOM = np.random.default_rng(0)
SETS: dict[str, Any] = {
    role: RANDOM.normal(size=(count, 16)).astype(np.float32)
    for role, count in (("generated", 300), ("train", 400), ("test", 300))
}
SETS["generated"][:20] = SETS["train"][:20] * 1.0001


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return EmulatedDevice("cuda", free=2**30)


@pytest.fixture(scope="module")
def expected():
    return genmem.score(**SETS, device="cpu")


def assert_same(score, expected):
    assert score.metrics.keys() == expected.metrics.keys()
    for name, result in expected.metrics.items():
        assert float(score[name]) == pytest.approx(float(result), abs=1e-9)
    assert score.to_dict()["verdict"] == expected.to_dict()["verdict"]
    assert score.notes == expected.notes
    for pair, same in zip(score.closest, expected.closest, strict=True):
        assert (pair.generated_id, pair.train_id) == (same.generated_id, same.train_id)
        assert pair.distance == pytest.approx(same.distance, rel=1e-9, abs=1e-15)


def test_a_score_of_tensors_on_a_gpu_equals_that_of_arrays(gpu, expected):
    with gpu:
        score = genmem.score(**{role: gpu.put(rows) for role, rows in SETS.items()})
    assert_same(score, expected)


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_rows_that_fit_are_moved_to_the_gpu(gpu, expected, device):
    with gpu:
        score = genmem.score(**SETS, device=device)
    assert gpu.waits["nonzero"] > 10
    assert_same(score, expected)


def test_rows_that_do_not_fit_stay_and_the_others_are_moved(gpu, expected):
    small = EmulatedDevice("cuda", free=4 * SETS["generated"].nbytes)
    moved = []
    with pytest.MonkeyPatch.context() as patch, small:
        move = gpu_module._rows_on_gpu
        patch.setattr(
            gpu_module,
            "_rows_on_gpu",
            lambda *rows: moved.append(isinstance(out := move(*rows), torch.Tensor)) or out,
        )
        score = genmem.score(**SETS, device="cuda")
    assert moved == [True, False, True]
    assert_same(score, expected)


def test_the_cpu_is_used_where_it_is_asked_for(gpu):
    with gpu:
        genmem.score(**SETS, device="cpu", metrics=["kd"])
    assert not gpu.waits


def test_a_forked_process_does_not_touch_the_gpu_of_its_parent(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with gpu:
        genmem.score(**SETS, metrics=["kd"])
    assert not gpu.waits
