"""Programs that take more than they may."""

from dataclasses import replace
from pathlib import Path

import pytest

from .programs import SMALL, needs_bubblewrap, processes_with, run_source

pytestmark = needs_bubblewrap

HUNDRED_GB = 100 * 10**9


def test_an_endless_loop_ends_with_the_clock(tmp_path: Path) -> None:
    result = run_source(tmp_path, "while True: pass", limits=replace(SMALL, wall_seconds=1.5))
    assert result.outcome.ended == "wall clock"
    assert result.outcome.exit_code is None
    assert 1.5 <= result.outcome.seconds < 5
    assert "(wall clock): longer than 1.5 s" in result.log


def test_a_program_that_ignores_signals_ends_with_the_clock(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        print("deaf", flush=True)
        while True: time.sleep(1)
        """,
        limits=replace(SMALL, wall_seconds=1.5),
    )
    assert "deaf" in result.log
    assert result.outcome.ended == "wall clock"


def test_a_fork_bomb_is_stopped(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os
        name = "fork-bomb-of-the-sandbox-test"
        while True:
            try: os.fork()
            except OSError: pass
        """,
    )
    assert result.outcome.ended == "processes"
    assert "more than 30 processes and threads" in result.log
    assert not processes_with(f"{tmp_path}")


def test_a_fork_bomb_of_sessions_of_their_own_is_stopped_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    result = run_source(
        tmp_path,
        """
        import os, sys
        if len(sys.argv) == 1:
            while True:
                try:
                    if os.fork() == 0:
                        os.setsid()
                        os.execv(sys.executable, [sys.executable, __file__, "bomb-marker-7193"])
                except OSError: pass
        while True: pass
        """,
    )
    assert result.outcome.ended == "processes"
    assert not processes_with("bomb-marker-7193")


def test_threads_count_as_processes(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import threading, time
        while True:
            try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError: time.sleep(0.1)
        """,
    )
    assert result.outcome.ended == "processes"


def test_one_hundred_gigabytes_of_memory_cannot_be_allocated(tmp_path: Path) -> None:
    result = run_source(tmp_path, f"held = bytearray({HUNDRED_GB})")
    assert result.outcome.ended in ("exited", "memory")
    assert result.outcome.exit_code != 0
    assert "256 MiB" in result.outcome.message
    assert result.outcome.message in result.log


@pytest.mark.parametrize(
    "how",
    [
        "held += [bytearray(b'x' * 1048576)]",
        # Shared between processes, and not the data of any.
        "piece = mmap.mmap(-1, 1048576); piece.write(b'x' * 1048576); held += [piece]",
    ],
)
def test_memory_taken_bit_by_bit_is_stopped(tmp_path: Path, how: str) -> None:
    result = run_source(
        tmp_path,
        f"""
        import mmap, time
        held = []
        for _ in range({HUNDRED_GB} // 1048576):
            try: {how}
            except MemoryError: print("refused"); time.sleep(60)
            time.sleep(0.0005)
        """,
    )
    assert result.outcome.ended == "memory"
    assert "more than 256 MiB of memory" in result.log
    assert result.outcome.peak_memory_bytes < 2 * SMALL.memory_bytes


def test_memory_of_many_processes_is_added_up(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os, time
        for _ in range(4):
            if os.fork() == 0: break
        held = b"x" * 100_000_000
        time.sleep(30)
        """,
    )
    assert result.outcome.ended == "memory"
    assert "(memory): more than 256 MiB of memory" in result.log
    assert result.outcome.seconds < 8


def test_memory_that_processes_share_counts_once(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os, time
        held = b"x" * 100_000_000
        children = []
        for _ in range(6):
            child = os.fork()
            if child == 0:
                time.sleep(1)
                os._exit(0)
            children.append(child)
        for child in children: os.waitpid(child, 0)
        """,
    )
    assert (result.outcome.ended, result.outcome.exit_code) == ("exited", 0), result.log


@pytest.mark.parametrize("call", ["memfd_create", "shmget"])
def test_memory_of_no_process_is_refused(tmp_path: Path, call: str) -> None:
    result = run_source(
        tmp_path,
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        if {memfd}: os.memfd_create("hidden")
        else: print("shmget", libc.shmget(0, 2**20, 0o1600))
        """.format(memfd=call == "memfd_create"),
    )
    assert "Operation not permitted" in result.log or "shmget -1" in result.log


def test_background_processes_are_killed_and_reported(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os, subprocess, sys
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)", "left-behind-marker-5521"],
            start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        print("leaving")
        os._exit(0)
        """,
    )
    assert (result.outcome.ended, result.outcome.exit_code) == ("exited", 0)
    assert "[sandbox] the program ended; its 1 background processes were killed" in result.log
    assert result.outcome.seconds < 5
    assert not processes_with("left-behind-marker-5521")


def test_a_program_uses_no_more_processors_than_it_may(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os
        print("processors", len(os.sched_getaffinity(0)))
        os.sched_setaffinity(0, range(64))
        """,
    )
    assert "processors 1\n" in result.log
    assert "Operation not permitted" in result.log


def test_limits_cannot_be_raised_from_inside(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import resource
        for name in ("NPROC", "FSIZE", "NOFILE", "CORE"):
            kind = getattr(resource, f"RLIMIT_{name}")
            try:
                resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                print("RAISED", name)
            except (OSError, ValueError) as error:
                print("stopped:", error)
        import os
        try: os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1000")
        except OSError as error: print("stopped:", error)
        """,
    )
    assert "RAISED" not in result.log
    assert result.log.count("stopped:") == 5
