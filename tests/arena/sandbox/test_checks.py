"""The self-check, and what happens while it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genmem.arena.sandbox import (
    Check,
    SandboxReport,
    bubblewrap,
    checks,
    poll,
    self_check,
    start,
    syscalls,
    wait,
)
from genmem.errors import UsageError

from .programs import SMALL, needs_bubblewrap, program


@needs_bubblewrap
def test_isolation_holds_here() -> None:
    report = self_check()
    assert report.holds, report.problems
    assert report.runner.startswith("bubblewrap ")
    assert report.limits in ("cgroup v2", "rlimits and supervisor")
    assert len(report.checks) > 20


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs the system's Python")
def test_isolation_holds_for_a_worker_that_is_not_root(tmp_path: Path) -> None:
    package = Path(checks.__file__).parents[2]
    reachable = Path("/var/tmp") / f"genmem-test-{os.getpid()}"
    (reachable / "genmem/arena").mkdir(parents=True)
    try:
        (reachable / "genmem/__init__.py").touch()
        (reachable / "genmem/arena/__init__.py").touch()
        shutil.copy(package / "errors.py", reachable / "genmem")
        shutil.copytree(package / "io", reachable / "genmem/io")
        shutil.copytree(package / "arena/sandbox", reachable / "genmem/arena/sandbox")
        done = subprocess.run(
            [
                *("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"),
                *("/usr/bin/python3", "-m", "genmem.arena.sandbox"),
            ],
            env={"PATH": bubblewrap.PATH, "PYTHONPATH": str(reachable), "TMPDIR": "/var/tmp"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(reachable)
    assert "the user of the worker" in done.stdout, done.stderr
    assert "FAILED" not in done.stdout
    assert done.returncode == 0


def test_code_is_refused_while_a_check_fails(tmp_path: Path) -> None:
    failed = SandboxReport(
        False, "bubblewrap", "none", "none", (Check("no network", False, "it reached a host"),)
    )
    record = tmp_path / "run.json"
    start(program(tmp_path, "print('ran')"), SMALL, record, report=failed)
    outcome = poll(record).outcome
    assert outcome is not None
    assert outcome.ended == "refused"
    assert outcome.message == "refused: no network: it reached a host"
    assert "refused: no network" in outcome.log_path.read_text()


def test_without_bubblewrap_the_self_check_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "PATH", "/nowhere")
    report = self_check()
    assert not report.holds
    assert "apt-get install bubblewrap" in report.problems[0]


@needs_bubblewrap
def test_a_hole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # A supervisor is another process: one is started that has the hole.
    code = (
        "import sys; from genmem.arena.sandbox import bubblewrap as b, supervisor as s;"
        "old = b.options; b.options = lambda *a, **k: [*old(*a, **k), '--share-net'];"
        "from pathlib import Path; s.detach(Path(sys.argv[-1]))"
    )
    real = subprocess.run

    def patched(words: list[str], **named: object) -> subprocess.CompletedProcess[str]:
        if words[:3] == [sys.executable, "-m", "genmem.arena.sandbox"]:
            words = [sys.executable, "-c", code, words[-1]]
        return real(words, **named)  # pyright: ignore

    monkeypatch.setattr("genmem.arena.sandbox.running.subprocess.run", patched)
    report = self_check()
    assert not report.holds
    assert any("the host's own ports are out of reach" in words for words in report.problems)


def test_an_environment_is_mounted_with_what_it_is_made_from() -> None:
    places = [mount.place for mount in bubblewrap.environment_mounts(Path(sys.prefix))]
    assert sys.prefix in places or sys.prefix.startswith("/usr")
    assert sys.base_prefix in places or sys.base_prefix.startswith("/usr")


def test_a_home_folder_is_not_taken_for_an_environment(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").touch()
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python").symlink_to(home / "bin/python")
    (environment / "pyvenv.cfg").write_text(f"home = {home}/bin\n")
    with pytest.raises(UsageError, match="neither pyvenv"):
        bubblewrap.environment_mounts(environment)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@needs_bubblewrap
def test_inputs_closed_to_others_are_refused_with_a_fix(tmp_path: Path) -> None:
    submitted = program(tmp_path, "print(1)")
    submitted.folder.chmod(0o700)
    start(submitted, SMALL, tmp_path / "run.json")
    outcome = wait(tmp_path / "run.json", timeout=20).outcome
    assert outcome is not None
    assert outcome.ended == "refused"
    assert "chmod -R o+rX" in outcome.message


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_numbers_of_system_calls_are_the_kernel_s(machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"needs {header} (Debian: linux-libc-dev)")
    words = [line.split() for line in header.read_text().splitlines()]
    numbers = {
        line[1].removeprefix("__NR3264_").removeprefix("__NR_"): line[2]
        for line in words
        if len(line) == 3 and line[0] == "#define" and line[1].startswith("__NR")
    }
    place = sorted(HEADERS, reverse=True).index(machine)
    known = {name: pair[place] for name, pair in syscalls.DENIED.items() if name in numbers}
    assert len(known) > 40
    assert {name: int(numbers[name]) for name in known} == known


def test_the_filter_has_no_jump_out_of_its_end() -> None:
    for machine in HEADERS:
        code = syscalls.filter_program(machine)
        steps = [code[index : index + 8] for index in range(0, len(code), 8)]
        for index, step in enumerate(steps):
            assert index + 1 + max(step[2], step[3]) < len(steps) or step[0] == 0x06
