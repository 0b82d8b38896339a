"""Packages that submitted code locks: used as they are, installed from wheels, or refused."""

import hashlib
import importlib.metadata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from ..sandbox.programs import needs_bubblewrap
from .code import GOOD_CODE, advance_to_end

pytestmark = pytest.mark.usefixtures("database")

INSTALLED = f"numpy=={importlib.metadata.version('numpy')}"
USES_PACKAGES = (
    f"import tinywords, tinynumbers\nprint(tinywords.WORD, tinynumbers.WORD, sep=', ')\n{GOOD_CODE}"
)


def build_wheel(folder, name="tinywords", tags="py3-none-any"):
    """Write a wheel of one module."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.2-{tags}.whl"
    dist_info = f"{name}-1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "WORD = __name__ + ' of version 1.2'\n")
        archive.writestr(
            f"{dist_info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n"
        )
        archive.writestr(
            f"{dist_info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n"
        )
        archive.writestr(f"{dist_info}/RECORD", "")
    return path


def digest(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def submit_with_lock(code_competition, tmp_path, lock, wheel=None, main=USES_PACKAGES, manifest=""):
    from ..factories import a_team, send

    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", main)
        archive.writestr("requirements.lock", lock)
        if manifest:
            archive.writestr("submission.toml", manifest)
        if wheel is not None:
            archive.write(wheel, f"wheels/{wheel.name}")
    return send(a_team(code_competition), path, kind="code")


def refusal_message(action):
    from genmem.arena.scoring.errors import SubmissionError

    with pytest.raises(SubmissionError) as caught:
        action()
    return str(caught.value)


@needs_bubblewrap
def test_wheels_of_the_zip_and_of_the_organizer_are_installed_in_the_sandbox(
    code_competition,
    tmp_path,
    worker,
    arena,
):
    import shutil

    zip_wheel = build_wheel(tmp_path / "w", "tinywords")
    arena_wheel = build_wheel(arena / "wheels", "tinynumbers")
    code_competition.wall_seconds = 300
    code_competition.save()
    locked = f"tinywords==1.2 \\\n    --hash={digest(zip_wheel)}"
    lock = f"# by hand\n{INSTALLED}\n{locked}\ntinynumbers==1.2\n"
    try:
        step = advance_to_end(
            worker, submit_with_lock(code_competition, tmp_path, lock, zip_wheel), seconds=300
        )
    finally:
        shutil.rmtree(arena_wheel.parent)
    assert step.state == "done", step.log
    assert "tinywords of version 1.2, tinynumbers of version 1.2" in step.log


@pytest.mark.parametrize(
    ("lock", "wheel", "expected"),
    [
        ("tinywords==1.2", False, "missing on this machine: tinywords==1.2. There is no network"),
        ("tinywords==1.3", True, "missing on this machine: tinywords==1.3."),
        ("numpy==0.1", False, f"numpy==0.1 ({INSTALLED.removeprefix('numpy==')} is installed)"),
        (f"tinywords==1.2 --hash=sha256:{'0' * 64}", True, "(its wheel has another hash)"),
        ("tinywords>=1.2", True, "expected lines such as NAME==VERSION"),
        ("tinywords @ https://example.org/x.whl", True, "expected lines such as NAME==VERSION"),
        ("-r other.txt", True, "expected lines such as NAME==VERSION"),
        ("tinywords==1.*", True, "expected lines such as NAME==VERSION"),
        ('tinywords==1.2; sys_platform ~= "x"', True, "expected lines such as NAME==VERSION"),
        (f"numpy=={'1' * 5000}", False, "expected lines such as NAME==VERSION"),
        (f"a==1; {'(' * 3000}", False, "expected lines such as NAME==VERSION"),
        (f"a==1{' ' * 900_000}b", False, "expected lines such as NAME==VERSION"),
        ("tinywords==1.2\nTinyWords==1.2", True, "expected every package once, got tinywords"),
        ("#" * 2**20 + "#", False, "expected at most 1,048,576 bytes"),
    ],
)
def test_packages_that_cannot_be_installed_are_refused_by_name_and_nothing_is_run(
    code_competition,
    tmp_path,
    worker,
    lock,
    wheel,
    expected,
    monkeypatch,
):
    from genmem.arena import sandbox
    from genmem.arena.scoring import code_runs

    monkeypatch.setattr(code_runs, "_sandbox_holds", lambda *_: True)
    monkeypatch.setattr(sandbox, "start", lambda *_: pytest.fail("it was run"))
    submission = submit_with_lock(
        code_competition, tmp_path, lock, build_wheel(tmp_path / "w") if wheel else None
    )
    step = advance_to_end(worker, submission)
    assert (step.state, submission.state) == ("failed", "refused")
    assert expected in submission.message
    assert not submission.counts_against_limit


def test_a_lock_beside_an_image_is_refused(code_competition, tmp_path, worker, monkeypatch):
    from genmem.arena.scoring import code_runs

    monkeypatch.setattr(code_runs, "_sandbox_holds", lambda *_: True)
    submission = submit_with_lock(
        code_competition, tmp_path, INSTALLED, manifest='image = "python:3.11"'
    )
    advance_to_end(worker, submission)
    assert "Packages of an image are part of it" in submission.message


def test_installed_packages_of_the_locked_version_need_no_wheel(tmp_path):
    from genmem.arena.scoring.packages import find_wheels, parse_lock

    assert find_wheels(parse_lock(INSTALLED), [tmp_path]) == []


def test_a_wheel_for_another_machine_is_ignored(tmp_path):
    from genmem.arena.scoring.packages import find_wheels, parse_lock

    build_wheel(tmp_path, tags="cp27-cp27m-win32")
    pins = parse_lock("tinywords==1.2")
    assert "missing on this machine" in refusal_message(lambda: find_wheels(pins, [tmp_path]))
    good = build_wheel(tmp_path)
    assert find_wheels(pins, [tmp_path]) == [good]


def test_lines_for_other_systems_are_skipped():
    from genmem.arena.scoring.packages import parse_lock

    assert parse_lock('colorama==0.4 ; sys_platform == "win32"\n') == []
    assert [one.name for one in parse_lock('Tiny_Words==1 ; python_version >= "3"')] == [
        "tiny-words"
    ]


@given(st.text(max_size=60))
def test_any_line_is_parsed_or_refused(text):
    from genmem.arena.scoring.errors import SubmissionError
    from genmem.arena.scoring.packages import parse_lock

    try:
        found = parse_lock(text)
    except SubmissionError:
        return
    assert all(isinstance(pin.version, Version) for pin in found)
