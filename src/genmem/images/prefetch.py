"""Work done ahead in threads, handed on in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


MAX_THREADS = 16
"""More threads than this wait for the interpreter instead of reading."""


def usable_cores() -> int:
    """The number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Outcome],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
) -> Iterator[Outcome]:
    """Yield `function(item)` for each item, in order, computed by threads ahead of the consumer.

    At most `ahead` outcomes wait or are being made, so memory is bounded however slow the consumer
    is; at most `MAX_THREADS` threads work. The first exception is raised where its outcome would
    have come. However the iteration ends, running calls are finished, waiting ones dropped and the
    threads ended.
    """
    pool = ThreadPoolExecutor(min(workers, MAX_THREADS), thread_name_prefix="genmem-images")
    waiting: deque[Future[Outcome]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
