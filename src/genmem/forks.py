"""Forked processes, and forks of those, which inherit the memory of threads, but not the threads.

The first parallel region of an OpenMP library, and the end of an ONNX Runtime session, wait there
for ever for threads that the parent had started. (Linux's `multiprocessing` forks by default up to
Python 3.13, and so do data loaders.) A region of one thread needs no others, and what is never
destroyed waits for none. New threads of the child start their own.
"""

from __future__ import annotations

import os
import sys
from weakref import WeakSet

_WITH_THREADS: WeakSet[object] = WeakSet()


def keep_in_forks(owner: object) -> None:
    """Never destroy `owner`, which has threads, in processes that are forked from this one."""
    _WITH_THREADS.add(owner)


def prepare_forks() -> None:
    """Let every process that is forked from this one run without the threads of its parent.

    OpenMP runs one thread there, in the thread that forked: torch's, faiss's and scikit-learn's.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    if _WITH_THREADS:
        import ctypes  # loaded with NumPy

        for owner in list(_WITH_THREADS):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))
        _WITH_THREADS.clear()
    # Only what is loaded can have threads that are missing; importing more would take seconds.
    if set_torch := getattr(sys.modules.get("torch"), "set_num_threads", None):
        set_torch(1)
    if set_faiss := getattr(sys.modules.get("faiss"), "omp_set_num_threads", None):
        set_faiss(1)
    # scikit-learn brings threadpoolctl, which reaches the OpenMP library that it was built with.
    if set_others := getattr(sys.modules.get("threadpoolctl"), "threadpool_limits", None):
        set_others(1, user_api="openmp")
