"""Threads that work ahead; results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


MAX_THREADS = 16
"""More threads than this would wait for the interpreter lock instead of reading."""


_core_limit: int | None = None


def limit_cores(cores: int) -> None:
    """Let this process use so many cores, though it may run on more: it has others beside it."""
    global _core_limit
    _core_limit = cores


def usable_cores() -> int:
    """The number of cores this process may use."""
    if _core_limit is not None:
        return _core_limit
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in order, computed by threads ahead of the consumer.

    The first exception is raised in place of its result. However the iteration ends, running calls
    finish, waiting ones are dropped and the threads end.

    Args:
        function: called in the threads.
        items: its arguments.
        workers: threads, at most `MAX_THREADS`.
        ahead: how many results may wait or be in work; bounds the memory for slow consumers.
    """
    pool = ThreadPoolExecutor(min(workers, MAX_THREADS), thread_name_prefix="genmem-images")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
