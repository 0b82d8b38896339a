"""The record of a run: process keeps it, and when it counts as lost."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from genmem.arena.sandbox import poll, processes, records, running, start
from genmem.errors import UsageError

from .programs import SMALL, program


def record_of(folder: Path, **changes: object) -> Path:
    """The record of a run that nobody has taken up."""
    submitted = program(folder, "print(1)")
    record = folder / "run.json"
    data = running._initial_record(submitted, SMALL) | changes
    assert records.create(record, data)
    return record


def test_a_start_that_never_reached_a_supervisor_is_lost_after_a_while(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    assert poll(record).state == "starting"
    late = json.loads(record.read_text()) | {"seen_at": time.time() - 2 * running.SILENCE}
    records.write(record, late)
    outcome = poll(record).outcome
    assert outcome is not None
    assert outcome.ended == "lost"


def test_a_run_of_another_machine_is_judged_by_its_silence(tmp_path: Path) -> None:
    elsewhere = {"pid": os.getpid(), "started": 1, "boot": "other", "namespace": "pid:[1]"}
    left = {"processes": [processes.identity(os.getpid()), elsewhere], "group": ""}
    record = record_of(tmp_path, state="running", supervisor=elsewhere, left=left)
    assert poll(record).state == "running"
    late = json.loads(record.read_text()) | {"seen_at": time.time() - 2 * running.SILENCE}
    records.write(record, late)
    # What is named there is not ended here: this very test lives.
    assert poll(record).state == "ended"


def test_a_supervisor_that_hangs_is_ended_when_its_run_is_long_overdue(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as hanging:
        process = processes.identity(hanging.pid)
        record = record_of(tmp_path, state="running", supervisor=process, started_at=time.time())
        assert poll(record).state == "running"
        long_ago = time.time() - SMALL.wall_seconds - running.OVERDUE - 1
        late = {"seen_at": long_ago, "started_at": long_ago}
        records.write(record, json.loads(record.read_text()) | late)
        outcome = poll(record).outcome
        assert outcome is not None
        assert outcome.ended == "lost"
        assert hanging.wait(timeout=5) == -signal.SIGKILL


def test_another_process_under_the_same_number_is_not_the_supervisor(tmp_path: Path) -> None:
    me = processes.identity(os.getpid())
    assert me is not None
    other = me | {"started": me["started"] - 1}
    record = record_of(tmp_path, state="running", supervisor=other)
    assert poll(record).state == "ended"


def test_a_record_is_whole_whenever_it_is_read(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    records.write(record, {"number": 0})
    stopping = threading.Event()

    def write_on() -> None:
        number = 0
        while not stopping.is_set():
            records.write(record, {"number": number, "padding": "x" * 5000})
            number += 1

    writer = threading.Thread(target=write_on)
    writer.start()
    for _ in range(300):
        assert "number" in records.read(record)
    stopping.set()
    writer.join()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": ()}, "expected a command"),
        ({"inputs": {"../train": Path("/")}}, "letters, digits"),
        ({"inputs": {"train": Path("/nothing/here")}}, "found nothing at"),
        ({"folder": Path("/nothing/here")}, "found no folder"),
        ({"environment": Path("/nothing/here")}, "bin/python"),
        ({"scratch_bytes": 0}, "more than 0"),
    ],
)
def test_an_invalid_program_is_refused_with_a_fix(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    submitted = replace(program(tmp_path, "print(1)"), **changes)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=words):
        start(submitted, SMALL, tmp_path / "run.json")
    assert not (tmp_path / "run.json").exists()


def test_output_is_never_written_over(tmp_path: Path) -> None:
    submitted = program(tmp_path, "print(1)")
    submitted.output.mkdir()
    (submitted.output / "old").write_text("x")
    with pytest.raises(UsageError, match="empty output folder"):
        start(submitted, SMALL, tmp_path / "run.json")
