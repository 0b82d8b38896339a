"""The search of a cluster is that of one process, bit for bit."""

import time

import numpy as np
import pytest

from genmem.distributed import search
from genmem.errors import InputError, UsageError
from genmem.neighbors import METRICS, nearest

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files it leaves to its processes


@pytest.fixture(scope="module")
def rows():
    """References with equal rows, rows of zeros and nearly equal rows, and queries among them."""
    rng = np.random.default_rng(0)
    references = rng.normal(size=(3000, 24)).astype(np.float32)
    references[1500:1600] = references[:100]
    references[2900:] = references[7]
    references[[3, 2000]] = 0
    references[400:500] = references[600:700] * np.float32(1 + 1e-6)
    queries = np.concatenate([references[::60], rng.normal(size=(60, 24)).astype(np.float32)])
    return queries, references


def save_shards(folder, references, bounds):
    paths = []
    for number, (start, stop) in enumerate(zip([0, *bounds], [*bounds, None], strict=True)):
        paths.append(folder / f"{number:03d}.npy")
        np.save(paths[-1], references[start:stop])
    return paths


def assert_same(result, expected):
    assert result.distances.tobytes() == expected.distances.tobytes()
    assert result.indices.tobytes() == expected.indices.tobytes()


@pytest.mark.parametrize("metric", METRICS)
def test_shards_of_any_size_give_the_bits_of_one_process(cluster, tmp_path, rows, metric):
    queries, references = rows
    expected = nearest(queries, references, k=5, metric=metric)
    for number, bounds in enumerate(([], [1, 2, 1550, 2950, 2999])):
        (tmp_path / str(number)).mkdir()
        shards = save_shards(tmp_path / str(number), references, bounds)
        assert_same(search(queries, shards, cluster=cluster, k=5, metric=metric), expected)


def test_leave_one_out_is_that_of_one_process(cluster, tmp_path, rows):
    _, references = rows
    expected = nearest(references, references, k=3, exclude_self=True)
    shards = save_shards(tmp_path, references, [700, 1550])
    assert_same(search(references, shards, cluster=cluster, k=3, exclude_self=True), expected)
    for others in (shards[1:], [*shards[1:], shards[0]]):
        with pytest.raises(UsageError, match="the shards hold other rows than the queries"):
            search(references, others, cluster=cluster, exclude_self=True)


def test_a_machine_that_is_lost_changes_no_bit(machines, cluster, tmp_path, rows):
    queries, references = rows
    node = machines.add_node(num_cpus=2)
    while cluster.places() < 4:
        time.sleep(0.1)
    shards = save_shards(tmp_path, references, list(range(100, 3000, 100)))
    calls = []

    def lose_it(stage, done, total):
        calls.append((done, total))
        if len(calls) == 3:
            machines.remove_node(node, allow_graceful=False)

    result = search(queries, shards, cluster=cluster, k=4, metric="euclidean", progress=lose_it)
    assert_same(result, nearest(queries, references, k=4, metric="euclidean"))
    assert calls[-1] == (3000, 3000)
    assert len(calls) == 30


def test_what_is_wrong_with_a_shard_is_said_in_one_line(cluster, tmp_path, rows):
    queries, references = rows
    bad = references[:50].copy()
    bad[7, 3] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    np.save(tmp_path / "narrow.npy", references[:50, :5])
    np.save(tmp_path / "ints.npy", np.zeros((3, 24), int))
    for name, words in (
        ("bad", "references: row 7 holds NaN"),
        ("narrow", "a shard of the references has 5"),
        ("ints", "expected a shard of features"),
        ("missing", "cannot read"),
    ):
        with pytest.raises(InputError, match=words):
            search(queries, [tmp_path / f"{name}.npy"], cluster=cluster)
    np.save(tmp_path / "few.npy", references[:50])
    with pytest.raises(InputError, match="expected at least 60 references, got 50"):
        search(queries, [tmp_path / "few.npy"], cluster=cluster, k=60)
