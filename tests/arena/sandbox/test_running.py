"""Runs outlive those process started them, and are never running for ever."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from genmem.arena.sandbox import poll, processes, records, start, stop, wait

from .programs import SMALL, needs_bubblewrap, processes_with, program


def started(folder: Path, source: str, **changes: object) -> Path:
    limits = replace(SMALL, **changes)  # pyright: ignore[reportArgumentType]
    record = folder / "run.json"
    start(program(folder, source), limits, record)
    return record


def until_it_prints(record: Path, word: str) -> None:
    until = time.monotonic() + 20
    while word not in records.log_path(record).read_text():
        assert time.monotonic() < until, records.log_path(record).read_text()
        time.sleep(0.02)


def supervisor_of(record: Path) -> int:
    return json.loads(record.read_text())["supervisor"]["pid"]


@needs_bubblewrap
def test_a_run_survives_the_death_of_the_worker_that_started_it(tmp_path: Path) -> None:
    submitted = program(
        tmp_path,
        "import time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('finished')",
    )
    worker = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from genmem.arena.sandbox import Limits, Program, start
        code, output = Path({str(submitted.folder)!r}), Path({str(submitted.output)!r})
        program = Program(code, ("python3", "main.py"), output, environment=Path(sys.prefix))
        start(program, Limits(wall_seconds=20), Path({str(tmp_path / "run.json")!r}))
        os.killpg(os.getpgid(0), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", worker], check=False, start_new_session=True)
    assert done.returncode == -signal.SIGKILL
    record = tmp_path / "run.json"
    assert poll(record).state != "ended"
    outcome = wait(record, timeout=20).outcome
    assert outcome is not None
    assert (outcome.ended, outcome.exit_code) == ("exited", 0)
    assert "finished" in outcome.log_path.read_text()


@needs_bubblewrap
def test_a_run_whose_supervisor_is_killed_ends_and_is_reported_lost(tmp_path: Path) -> None:
    source = "import time\nprint('begun', flush=True)\nmark = 'x'\ntime.sleep(600)"
    record = started(tmp_path, source, wall_seconds=600)
    until_it_prints(record, "begun")
    left = json.loads(record.read_text()).get("left")
    os.kill(supervisor_of(record), signal.SIGKILL)
    until = time.monotonic() + 10
    while (status := poll(record)).state != "ended":
        assert time.monotonic() < until
    assert status.outcome is not None
    assert status.outcome.ended == "lost"
    assert poll(record).outcome == status.outcome
    assert not (tmp_path / "run.work").exists()
    while left and any(processes.is_alive(process) for process in left["processes"]):
        assert time.monotonic() < until
        time.sleep(0.02)


@needs_bubblewrap
def test_the_program_dies_with_its_supervisor_even_if_nobody_looks(tmp_path: Path) -> None:
    marker = f"dies-with-supervisor-{uuid.uuid4().hex}"
    source = f"""
        import os, subprocess, sys
        subprocess.run([sys.executable, "-c", "print('begun', flush=True); import time;"
                        "time.sleep(600)", "{marker}"])
    """
    record = started(tmp_path, source, wall_seconds=600)
    until_it_prints(record, "begun")
    assert processes_with(marker)
    os.kill(supervisor_of(record), signal.SIGKILL)
    until = time.monotonic() + 10
    while processes_with(marker):
        assert time.monotonic() < until
        time.sleep(0.02)
    poll(record)


@needs_bubblewrap
def test_a_supervisor_killed_at_any_moment_leaves_nothing_running(tmp_path: Path) -> None:
    submitted = program(tmp_path, "import time\ntime.sleep(600)")
    marker = f"any-moment-{uuid.uuid4().hex}"
    command = (*submitted.command, marker)
    random = Random(0)
    for index in range(12):
        record = tmp_path / f"{index}.json"
        output = tmp_path / f"output-{index}"
        start(replace(submitted, command=command, output=output), SMALL, record)
        time.sleep(random.uniform(0, 0.2))
        os.kill(supervisor_of(record), signal.SIGKILL)
        outcome = wait(record, timeout=20).outcome
        assert outcome is not None
        assert outcome.ended == "lost"
        assert not list(tmp_path.glob("*.work"))
    until = time.monotonic() + 10
    while processes_with(marker):
        assert time.monotonic() < until
        time.sleep(0.02)


@needs_bubblewrap
def test_bubblewrap_that_begins_after_the_death_of_its_supervisor_ends_by_itself(
    tmp_path: Path,
) -> None:
    marker = f"begins-after-death-{uuid.uuid4().hex}"
    submitted = program(tmp_path, "import time\ntime.sleep(600)")
    late = textwrap.dedent(f"""
        import os, signal, subprocess, threading
        from dataclasses import replace
        from pathlib import Path
        from genmem.arena.sandbox import Limits, Program
        from genmem.arena.sandbox.runners import Bubblewrap
        folder = Path({str(tmp_path)!r})
        start = subprocess.Popen

        def start_late(words, **options):
            return start(["/bin/sh", "-c", 'sleep 1; exec "$@"', "late", *words], **options)

        subprocess.Popen = start_late
        program = Program(
            Path({str(submitted.folder)!r}),
            ("python3", "main.py", {marker!r}),
            Path({str(submitted.output)!r}),
            environment=Path({sys.prefix!r}),
        )
        (folder / "raw").mkdir()
        (folder / "work").mkdir()
        runner = Bubblewrap(program, Limits(), work=folder / "work", raw=folder / "raw")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
        _, output = os.pipe()
        runner.prepare(output)
    """)
    done = subprocess.run([sys.executable, "-c", late], check=False, start_new_session=True)
    assert done.returncode == -signal.SIGKILL
    assert processes_with(marker)
    until = time.monotonic() + 20
    while left := processes_with(marker):
        assert time.monotonic() < until, left
        time.sleep(0.02)


@needs_bubblewrap
def test_stop_ends_a_run_from_another_process(tmp_path: Path) -> None:
    record = started(
        tmp_path, "import time\nprint('begun', flush=True)\ntime.sleep(600)", wall_seconds=600
    )
    until_it_prints(record, "begun")
    call = "import sys, pathlib, genmem.arena.sandbox as s; s.stop(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", call, record], check=True)
    outcome = poll(record).outcome
    assert outcome is not None
    assert outcome.ended == "killed"
    assert "a stop was requested" in outcome.log_path.read_text()
    assert stop(record).outcome == outcome


@needs_bubblewrap
def test_a_supervisor_that_is_asked_to_end_ends_the_run_in_order(tmp_path: Path) -> None:
    source = "import time\nopen('/output/first', 'w')\nprint('begun', flush=True)\ntime.sleep(600)"
    record = started(tmp_path, source, wall_seconds=600)
    until_it_prints(record, "begun")
    os.kill(supervisor_of(record), signal.SIGTERM)
    outcome = wait(record, timeout=20).outcome
    assert outcome is not None
    assert (outcome.ended, outcome.output_files) == ("killed", 1)


@needs_bubblewrap
def test_starting_twice_starts_once(tmp_path: Path) -> None:
    submitted = program(tmp_path, "import time\ntime.sleep(0.5)\nprint('ran')")
    record = tmp_path / "run.json"
    threads = [threading.Thread(target=start, args=(submitted, SMALL, record)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start(submitted, SMALL, record)
    outcome = wait(record, timeout=20).outcome
    assert outcome is not None
    start(submitted, SMALL, record)
    assert poll(record).outcome == outcome
    assert outcome.log_path.read_text().count("ran") == 1


@needs_bubblewrap
def test_a_running_program_reports_its_usage(tmp_path: Path) -> None:
    source = """
        import time
        held = b"x" * 50_000_000
        open("/output/file", "wb").write(bytes(1_000_000))
        print("begun", flush=True)
        time.sleep(600)
    """
    record = started(tmp_path, source, wall_seconds=600)
    until = time.monotonic() + 20
    while (status := poll(record)).output_bytes < 1_000_000 or status.memory_bytes < 50_000_000:
        assert status.state in ("starting", "running")
        assert time.monotonic() < until, status
        time.sleep(0.05)
    assert status.processes == 1
    stop(record)


@needs_bubblewrap
@pytest.mark.parametrize(
    ("command", "code"), [(("no-such-program",), 127), (("/code/main.py",), 126)]
)
def test_a_command_that_cannot_be_executed_says_so(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    submitted = replace(program(tmp_path, "print(1)"), command=command)
    start(submitted, SMALL, tmp_path / "run.json")
    outcome = wait(tmp_path / "run.json", timeout=20).outcome
    assert outcome is not None
    assert (outcome.ended, outcome.exit_code) == ("exited", code)
    assert command[0] in outcome.log_path.read_text()
