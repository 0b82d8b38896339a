"""Workers: forked after the parent scored, spawned, threads, an event loop, a notebook kernel."""

import asyncio
import multiprocessing
import os
import select
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
import sklearn.cluster  # its OpenMP is another one than torch's  # noqa: F401
import torch
from threadpoolctl import threadpool_limits

import genmem
from genmem.errors import UsageError
from genmem.training.rejection.search import build_search

from .small_networks import convolution

SECONDS = 120
"""A hang, where other processes may keep the machine busy."""

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

FORKS = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)


@pytest.fixture(autouse=True)
def two_threads():
    """Processes of tests have one thread each (`tests/conftest.py`); a fork loses the second."""
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    torch.set_num_threads(2)
    faiss.omp_set_num_threads(2)
    with threadpool_limits(2):
        yield
    torch.set_num_threads(before[0])
    faiss.omp_set_num_threads(before[1])


def feature_sets():
    generated, train, test = np.random.default_rng(0).normal(size=(3, 400, 32)).astype(np.float32)
    return {"generated": generated, "train": train, "test": test}


def score_features():
    score = genmem.score(**feature_sets(), metrics=["fd", "memorization_distance", "kd", "density"])
    return {name: float(result) for name, result in score.metrics.items()}


def score_in_cells():
    return float(genmem.c_t(**feature_sets(), cells=3))  # scikit-learn's k-means


def distances_by_faiss():
    rows = torch.nn.functional.normalize(torch.from_numpy(feature_sets()["train"]))
    search = build_search(rows, kind="faiss")
    return search.distances(rows + 0.01, within=1.0).tolist()


@FORKS
@pytest.mark.parametrize("function", [score_features, score_in_cells, distances_by_faiss])
def test_a_forked_worker_computes_what_its_parent_computed_before(function):
    expected = function()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(function).get(timeout=SECONDS)
    assert found == pytest.approx(expected, rel=1e-6)


def compute_and_fork_again(function, results):
    results.put(function())
    context = multiprocessing.get_context("fork")
    grandchild = context.Process(target=lambda: results.put(function()))
    grandchild.start()
    grandchild.join(SECONDS)
    grandchild.kill()


@FORKS
@pytest.mark.parametrize("function", [score_features, score_in_cells, distances_by_faiss])
def test_a_fork_of_a_forked_worker_computes_the_same(function):
    expected = function()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=compute_and_fork_again, args=(function, results))
    child.start()
    found = [results.get(timeout=SECONDS) for _ in range(2)]
    child.join(SECONDS)
    assert child.exitcode == 0
    for value in found:
        assert value == pytest.approx(expected, rel=1e-6)


def in_a_fork(function):
    """What `function` gives in a forked process, which ends without destroying anything."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, f"{function():.17g}\n".encode())
        os._exit(0)
    with os.fdopen(read) as pipe:
        assert select.select([pipe], [], [], SECONDS)[0], "the forked worker hangs"
        found = float(pipe.readline())
    os.close(write)
    os.waitpid(child, 0)
    return found


@FORKS
@pytest.mark.parametrize("generations", [1, 2])
def test_a_forked_worker_uses_and_drops_the_network_that_its_parent_opened(generations, tmp_path):
    sets = np.random.default_rng(1).integers(0, 256, (2, 20, 32, 32, 3), dtype=np.uint8)
    running = [genmem.RunningScore(train=sets[1], backbone=convolution(tmp_path / "c.onnx"))]

    def compute():
        running[0].update(sets[0])
        return float(running[0].compute()["memorization_distance"])

    def compute_last():
        value = compute()
        running.clear()
        return value

    def compute_and_fork_again():
        compute()
        return in_a_fork(compute_last)

    found = in_a_fork(compute_last if generations == 1 else compute_and_fork_again)
    assert found == pytest.approx(compute(), rel=1e-6)


def test_cuda_in_a_fork_of_a_process_that_used_it_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(UsageError, match="get_context\\('spawn'\\)"):
        genmem.load_backbone("efficientnet-lite0", device="cuda")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_started_afresh_computes_the_same(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    sets = {role: rows for role, rows in feature_sets().items() if role != "test"}
    with multiprocessing.get_context(method).Pool(1) as pool:
        result = pool.apply_async(genmem.memorization_distance, kwds=sets).get(timeout=SECONDS)
    assert float(result) == pytest.approx(float(genmem.memorization_distance(**sets)), rel=1e-6)


def test_threads_that_score_at_once_compute_the_same():
    expected = score_features()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: score_features(), range(4)))
    assert all(one == pytest.approx(expected, rel=1e-6) for one in found)


def test_scores_inside_an_event_loop_compute_the_same():
    async def main():
        within = score_features()
        return [within, *await asyncio.gather(*[asyncio.to_thread(score_features)] * 2)]

    expected = score_features()
    assert all(one == pytest.approx(expected, rel=1e-6) for one in asyncio.run(main()))


def test_a_notebook_kernel_computes_the_same():
    manager = pytest.importorskip("jupyter_client.manager", reason="needs jupyter_client")
    code = (
        "import numpy as np, genmem\n"
        "g, t, _ = np.random.default_rng(0).normal(size=(3, 400, 32)).astype(np.float32)\n"
        "value = genmem.memorization_distance(generated=g, train=t)"
    )
    sets = {role: rows for role, rows in feature_sets().items() if role != "test"}
    expected = float(genmem.memorization_distance(**sets))
    kernel, client = manager.start_new_kernel(startup_timeout=SECONDS)
    try:
        reply = client.execute(
            code,
            user_expressions={"value": "float(value)"},
            reply=True,
            timeout=SECONDS,
        )["content"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert reply["status"] == "ok", reply
    found = float(reply["user_expressions"]["value"]["data"]["text/plain"])
    assert found == pytest.approx(expected, rel=1e-6)
