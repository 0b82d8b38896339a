"""Exact search of ten million rows on two machines of a Ray cluster, one of which is lost.

    python -m studies.scale [--part 20] [--json FILE]

References are float16 [rows, 512], normal, made by each task from the shard's seed, so that nothing
is written to a disk; queries likewise, and every tenth is a reference with noise. The two machines
are two nodes of a local Ray cluster with one core each, and every task has one thread. `--part N`
takes every Nth shard of the whole.

It measures:

- the rate in pairs a second of one process on one shard (the small case), of one worker, and of
  two, and the peak of each worker's anonymous memory (RssAnon, every 20 ms);
- whether the distances of some queries equal a float64 brute force;
- with a node killed midway: whether all bits are the same, and how many shards were opened twice.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.distributed import Cluster, Shard, search
from genmem.distributed.threads import one_thread
from genmem.neighbors import Metric, Nearest, NearestNeighbors

METRIC: Metric = "cosine"
K = 5
CHECKED_QUERIES = 20
_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class SyntheticShard(Shard):
    """Rows that are made where they are needed.

    Attributes:
        seed: of the rows.
        log: a folder where each opening and the memory of each process are noted.
        rows, dimension, row_bytes: as in `Shard`.
    """

    seed: int
    log: str
    rows: int
    dimension: int
    row_bytes: int

    def open(self) -> NDArray[np.float16]:
        """See `Shard`."""
        _watch_memory(self.log)
        Path(self.log, f"opened-{self.seed}-{os.getpid()}-{time.monotonic_ns()}").touch()
        return self.make()

    def make(self) -> NDArray[np.float16]:
        """The rows, float16 [rows, dimension]."""
        rng = np.random.default_rng(self.seed)
        out = np.empty((self.rows, self.dimension), np.float16)
        for start in range(0, self.rows, _ROWS_AT_ONCE):
            part = out[start : start + _ROWS_AT_ONCE]
            part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        return out


_watched: set[int] = set()


def _watch_memory(folder: str) -> None:
    """Note the peak of this process's RssAnon in `folder`, from now on."""
    if os.getpid() in _watched:
        return
    _watched.add(os.getpid())

    def watch() -> None:
        peak = 0
        while True:
            status = Path("/proc/self/status").read_text(encoding="utf-8")
            now = int(status.split("RssAnon:")[1].split()[0]) * 1024
            if now > peak:
                peak = now
                Path(folder, f"memory-{os.getpid()}").write_text(str(peak), encoding="utf-8")
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()


def build_shards(rows: int, count: int, dimension: int, part: int, log: str) -> list[Shard]:
    """Every `part`th of `count` shards that together have `rows` rows."""
    return [
        SyntheticShard(seed, log, rows // count, dimension, 2 * dimension)
        for seed in range(0, count, part)
    ]


def build_queries(count: int, shard: Shard) -> NDArray[np.float16]:
    """Normal rows; every tenth is a row of the shard with noise."""
    rng = np.random.default_rng(2**32)
    queries = rng.standard_normal((count, shard.dimension), dtype=np.float32)
    copied = queries[::10]
    originals = replace(shard, rows=len(copied)).make()  # pyright: ignore
    queries[::10] = originals + 0.2 * copied
    return queries.astype(np.float16)


def brute_force(queries: NDArray[Any], shards: Sequence[Shard]) -> Nearest:
    """The nearest rows of a few queries, by float64 matrix products."""
    units = _units(queries)
    best = np.full((len(units), 0), np.inf), np.empty((len(units), 0), np.int64)
    first = 0
    for shard in shards:
        rows = shard.make()  # pyright: ignore
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = 1 - units @ _units(rows[start : start + _ROWS_AT_ONCE]).T
            index = np.broadcast_to(np.arange(part.shape[1]) + first + start, part.shape)
            distances = np.concatenate([best[0], part], axis=1)
            indices = np.concatenate([best[1], index], axis=1)
            order = np.argsort(distances, axis=1, kind="stable")[:, :K]
            best = (
                np.take_along_axis(distances, order, axis=1),
                np.take_along_axis(indices, order, axis=1),
            )
        first += shard.rows
    return Nearest(*best)


def _units(rows: NDArray[Any]) -> NDArray[np.float64]:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@contextmanager
def machines() -> Iterator[Any]:
    """A cluster whose head does no work."""
    from ray.cluster_utils import Cluster as Machines

    cluster = Machines(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster
    cluster.shutdown()


def timed_search(
    queries: NDArray[Any], shards: Sequence[Shard], cluster: Cluster, on_progress: Any = None
) -> tuple[Nearest, float]:
    """The search, and its pairs a second."""
    started = time.perf_counter()

    def progress(stage: str, done: int, total: int | None) -> None:
        seconds = time.perf_counter() - started
        print(f"  {done:,} of {total:,} references, {seconds:.0f} s", flush=True)
        if on_progress:
            on_progress(done, total)

    result = search(queries, shards, cluster=cluster, k=K, metric=METRIC, progress=progress)
    pairs = len(queries) * sum(shard.rows for shard in shards)
    return result, pairs / (time.perf_counter() - started)


def small_case(queries: NDArray[Any], shard: Shard) -> float:
    """Pairs a second of one process with one thread, making the rows included."""
    with one_thread():
        torch.mm(torch.ones(512, 512), torch.ones(512, 512))
        started = time.perf_counter()
        search_here = NearestNeighbors(queries, k=K, metric=METRIC)
        search_here.update(shard.make())  # pyright: ignore
        return len(queries) * shard.rows / (time.perf_counter() - started)


def opened(log: Path) -> Counter[str]:
    """How often each shard was opened so far; the notes are removed."""
    notes = list(log.glob("opened-*"))
    for note in notes:
        note.unlink()
    return Counter(note.name.split("-")[1] for note in notes)


def equal(first: Nearest, second: Nearest) -> bool:
    """Whether two results have the same bits."""
    return all(
        getattr(first, name).tobytes() == getattr(second, name).tobytes()
        for name in ("distances", "indices")
    )


def run(arguments: argparse.Namespace, log: Path) -> dict[str, Any]:
    """All measurements."""
    shards = build_shards(
        arguments.rows, arguments.shards, arguments.dimension, arguments.part, str(log)
    )
    queries = build_queries(arguments.queries, shards[0])
    subset = shards[: max(4, len(shards) // 10)]
    results: dict[str, Any] = {"shards": len(shards), "rows": sum(s.rows for s in shards)}
    results["pairs_per_second_small_case"] = small_case(queries, shards[0])
    print(json.dumps(results), flush=True)
    with machines() as nodes:
        first = nodes.add_node(num_cpus=1)
        with Cluster(nodes.address) as cluster:
            timed_search(queries[:64], subset[:1], cluster)  # starts the worker
            print("one worker", flush=True)
            expected, rate = timed_search(queries, subset, cluster)
            results["pairs_per_second_one_worker"] = rate
            second = nodes.add_node(num_cpus=1)
            while cluster.places() < 2:
                time.sleep(0.1)
            timed_search(queries[:64], subset[:2], cluster)
            print("two workers", flush=True)
            opened(log)
            whole, rate = timed_search(queries, shards, cluster)
            results["pairs_per_second_two_workers"] = rate
            results["speedup_of_two_workers"] = rate / results["pairs_per_second_one_worker"]
            results["openings_beyond_one_a_shard"] = opened(log).total() - len(shards)
            killed: list[int] = []

            def kill(done: int, total: int) -> None:
                if done >= total / 3 and not killed:
                    killed.append(done)
                    nodes.remove_node(second, allow_graceful=False)

            print("a node is killed", flush=True)
            cut, _ = timed_search(queries, subset, cluster, kill)
            results["equal_with_a_node_killed"] = equal(cut, expected)
            results["openings_beyond_one_a_shard_with_a_node_killed"] = opened(log).total() - len(
                subset
            )
        del first
    peaks = [int(path.read_text(encoding="utf-8")) for path in log.glob("memory-*")]
    results["peak_anonymous_bytes_of_a_worker"] = max(peaks)
    step = max(1, len(queries) // CHECKED_QUERIES)
    exact = brute_force(queries[::step], shards)
    results["checked_queries"] = len(exact.distances)
    results["indices_as_brute_force"] = bool((whole.indices[::step] == exact.indices).all())
    results["largest_difference_from_brute_force"] = float(
        np.abs(whole.distances[::step] - exact.distances).max()
    )
    return results


def main() -> None:
    """Measure, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--part", type=int, default=1, help="take every Nth shard")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as log:
        results = run(arguments, Path(log))
    print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from studies.scale import main as run_main  # so that workers import its classes by name

    run_main()
