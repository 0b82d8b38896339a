"""Searches on other devices, which are emulated, and in programs that allow TF32 and autocast."""

import numpy as np
import pytest
import torch

from genmem.arrays import LARGEST_GPU_BLOCK, block_bytes
from genmem.neighbors import METRICS, _blocks, count_balls, nearest

from ..emulated_devices import EmulatedDevice, EmulatedTf32

RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(300, 48)).astype(np.float32)
REFERENCES = RANDOM.normal(size=(900, 48)).astype(np.float32)
REFERENCES[7] = QUERIES[3] * (1 + 1e-6)
RADII = np.full(900, 9.0)


def same(first, second):
    return torch.equal(torch.as_tensor(first).cpu(), torch.as_tensor(second).cpu())


def close(first, second):
    """Equal but for the last digits: a device adds the values of a row in another order."""
    first, second = (torch.as_tensor(values).cpu() for values in (first, second))
    return torch.allclose(first, second, rtol=1e-14, atol=1e-20)


def test_the_emulated_tf32_errs_as_much_as_tf32():
    a, b = torch.from_numpy(QUERIES), torch.from_numpy(REFERENCES)
    with EmulatedTf32():
        errors = ((a @ b.T).double() - a.double() @ b.double().T).abs()
    assert 1e-3 < errors.max() < 0.1


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("device", "dtype"), [("cuda", np.float32), ("cuda", np.float64), ("mps", np.float32)]
)
def test_a_search_on_a_device_equals_that_on_the_cpu(device, metric, dtype):
    queries, references = QUERIES.astype(dtype), REFERENCES.astype(dtype)
    expected = nearest(queries, references, k=3, metric=metric)
    with EmulatedDevice(device) as emulated:
        result = nearest(emulated.put(queries), emulated.put(references), k=3, metric=metric)
        home = "cpu" if device == "mps" else device
        assert result.distances.device.type == result.indices.device.type == home
    assert close(result.distances, expected.distances)
    assert same(result.indices, expected.indices)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_ball_counts_on_a_device_equal_those_on_the_cpu(device):
    expected = count_balls(QUERIES, REFERENCES, RADII)
    with EmulatedDevice(device) as emulated:
        radii = emulated.put(RADII.astype(np.float32))
        count = count_balls(emulated.put(QUERIES), emulated.put(REFERENCES), radii)
    assert expected.any()
    assert same(count, expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_where_one_set_is_on_a_device_the_other_is_moved_there(device, metric):
    expected = nearest(QUERIES, REFERENCES, metric=metric)
    counts = count_balls(QUERIES, REFERENCES, RADII)
    # float64 rows in NumPy: MPS takes them in float32 only.
    wide = REFERENCES.astype(np.float64)
    with EmulatedDevice(device) as emulated:
        queries, references = emulated.put(QUERIES), emulated.put(REFERENCES)
        to_numpy = nearest(queries, wide, metric=metric)
        to_device = nearest(QUERIES, references, metric=metric)
        assert same(count_balls(queries, wide, RADII), counts)
        assert same(count_balls(QUERIES, references, RADII), counts)
    assert isinstance(to_device.distances, np.ndarray)
    assert same(to_numpy.indices, expected.indices)
    assert same(to_device.indices, expected.indices)
    assert close(to_device.distances, expected.distances)


def test_a_search_waits_for_a_gpu_a_few_times_a_block(monkeypatch):
    monkeypatch.setattr(_blocks, "SCORE_BYTES", 4 * 300 * 90)
    with EmulatedDevice("cuda") as emulated:
        queries, references = emulated.put(QUERIES), emulated.put(REFERENCES)
        nearest(queries, references)
        before, blocks = emulated.waits.total(), 10
        assert before <= 10 * blocks
        count_balls(queries, references, emulated.put(RADII))
        assert emulated.waits.total() - before <= 10 * blocks


@pytest.mark.parametrize(
    ("free", "expected"),
    [(0, 1000), (2**20, 2**17), (2**21 - 1, 2**17), (2**40, LARGEST_GPU_BLOCK)],
)
def test_blocks_on_a_gpu_follow_its_free_memory(free, expected):
    with EmulatedDevice("cuda", free=free) as emulated:
        assert block_bytes(emulated.device, 1000) == expected
    assert block_bytes(torch.device("cpu"), 1000) == 1000


def test_larger_blocks_change_nothing():
    expected = nearest(QUERIES, REFERENCES, k=2)
    with EmulatedDevice("cuda", free=2**34) as emulated:
        result = nearest(emulated.put(QUERIES), emulated.put(REFERENCES), k=2)
    assert close(result.distances, expected.distances)


@pytest.mark.parametrize("metric", METRICS)
def test_a_search_is_exact_where_the_program_allows_tf32(metric):
    expected = nearest(QUERIES, REFERENCES, k=3, metric=metric)
    counts = count_balls(QUERIES, REFERENCES, RADII)
    with EmulatedTf32() as tf32, EmulatedDevice("cuda") as emulated:
        queries, references = emulated.put(QUERIES), emulated.put(REFERENCES)
        result = nearest(queries, references, k=3, metric=metric)
        assert same(count_balls(queries, references, emulated.put(RADII)), counts)
    assert set(tf32.products) == {"ieee"}
    assert close(result.distances, expected.distances)


@pytest.mark.parametrize("metric", METRICS)
def test_a_search_is_exact_under_autocast(metric):
    expected = nearest(QUERIES, REFERENCES, k=3, metric=metric)
    counts = count_balls(QUERIES, REFERENCES, RADII)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = nearest(QUERIES, REFERENCES, k=3, metric=metric)
        assert same(count_balls(QUERIES, REFERENCES, RADII), counts)
    assert close(result.distances, expected.distances)


def test_leave_one_out_on_a_gpu_copies_no_rows_to_compare_the_sets():
    with EmulatedDevice("cuda") as emulated:
        rows = emulated.put(QUERIES)
        result = nearest(rows, rows, exclude_self=True)
    expected = nearest(QUERIES, QUERIES, exclude_self=True)
    assert same(result.indices, expected.indices)
