"""Runs in a container engine: the command always, a stand-in for the engine, a real one if any."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from genmem.arena.sandbox import Limits, Program, container_engine, self_check, start, wait
from genmem.arena.sandbox.program import Check, SandboxReport

from .programs import SMALL, program

HOLDS = SandboxReport(True, "docker", "engine", "own", (Check("all", True),))

STAND_IN = """#!/bin/sh
echo "$@" >>{calls}
case "$1" in
  run) echo "said inside"; echo made >{output}/file; exit 3 ;;
  container) echo "{state}" ;;
esac
"""


def containing(folder: Path) -> Program:
    return replace(program(folder, "print(1)"), image="python:3.11-slim", environment=None)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *, state: str) -> Path:
    tools = folder / "bin"
    tools.mkdir()
    calls = folder / "calls"
    script = STAND_IN.format(calls=calls, state=state, output=folder / "run.work/output")
    (tools / "docker").write_text(script)
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return calls


def test_the_command_drops_all_privileges(tmp_path: Path) -> None:
    submitted = replace(containing(tmp_path), inputs={"train": tmp_path})
    limits = Limits(memory_bytes=1000, processes=30, file_bytes=77, cpus=2)
    words = container_engine.command(
        "docker", submitted, limits, raw=tmp_path / "raw", name="run", user=70000
    )
    line = " ".join(words)
    for expected in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--user 70000:70000",
        f"--memory {1000 + submitted.scratch_bytes}",
        "--pids-limit 30",
        "--cpus 2",
        "--ulimit fsize=77",
        "--pull never",
        f"--mount type=bind,source={submitted.folder},target=/code,readonly",
        f"--mount type=bind,source={tmp_path},target=/inputs/train,readonly",
        "--entrypoint python3 python:3.11-slim main.py",
    ):
        assert expected in line
    assert f"type=bind,source={tmp_path / 'raw'},target=/output" in words
    assert "--privileged" not in words


@pytest.mark.parametrize(
    ("state", "ended", "code"), [("false 3", "exited", 3), ("true 137", "memory", None)]
)
def test_a_container_runs_to_its_end_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, ended: str, code: int | None
) -> None:
    calls = stand_in(tmp_path, monkeypatch, state=state)
    submitted = containing(tmp_path)
    start(submitted, SMALL, tmp_path / "run.json", report=HOLDS)
    outcome = wait(tmp_path / "run.json", timeout=20).outcome
    assert outcome is not None
    assert (outcome.ended, outcome.exit_code) == (ended, code)
    assert "said inside" in outcome.log_path.read_text()
    assert (submitted.output / "file").read_text() == "made\n"
    assert "rm --force genmem-run-" in calls.read_text()


def test_without_an_engine_a_program_with_an_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_engine, "find", lambda: None)
    start(containing(tmp_path), SMALL, tmp_path / "run.json")
    outcome = wait(tmp_path / "run.json", timeout=20).outcome
    assert outcome is not None
    assert outcome.ended == "refused"
    assert "found none" in outcome.message


def test_isolation_holds_in_a_container() -> None:
    image = "python:3.11-slim"
    if container_engine.find() is None or container_engine.examine(image)[1]:
        pytest.skip(f"needs Docker or Podman, running, with the image {image}")
    report = self_check(image)
    assert report.holds, report.problems
