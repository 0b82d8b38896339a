"""Submitted code: run in the real sandbox, its images scored as any others, its log shown."""

import time
import zipfile

import pytest

from ..sandbox.programs import needs_bubblewrap
from .code import GOOD_CODE, advance_to_end

pytestmark = pytest.mark.usefixtures("database")


def code_of(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def submit(code_competition, tmp_path, **files):
    from ..factories import a_team, send

    return send(a_team(code_competition), code_of(tmp_path / "code.zip", **files), kind="code")


@needs_bubblewrap
def test_code_is_run_and_its_images_are_scored(code_competition, tmp_path, worker):
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.submissions import storage

    from ..factories import captain, signed_in
    from .factories import run_steps

    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    step = advance_to_end(worker, submission)
    assert step.state == "done"
    assert "training images: 12" in step.log
    with storage.local(f"output/{submission.pk}.zip") as path, zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["0.png", "1.png", "2.png", "3.png"]
    assert run_steps(submission) == ["done"] * 6
    public = ScoreVersion.objects.get(submission=submission, split__kind="public")
    assert public.distance == pytest.approx(0, abs=1e-6)
    page = signed_in(captain(submission.team))
    where = f"/c/dogs/submissions/{submission.pk}/"
    assert f"{where}log/" in page.get(where).content.decode()
    log = page.get(f"{where}log/")
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "training images: 12" in log.content.decode()


@needs_bubblewrap
def test_the_private_split_is_hidden_from_the_code(code_competition, tmp_path, worker):
    source = f"""
import os, pathlib
print("inputs:", sorted(os.listdir("/inputs")))
for place in ({str(tmp_path / "dogs" / "private")!r}, {str(tmp_path)!r}):
    print("there" if os.path.exists(place) else "not there")
try:
    pathlib.Path("/inputs/train/x").write_text("x")
except OSError as error:
    print(error.strerror)
"""
    submission = submit(code_competition, tmp_path, main__py=source)
    log = advance_to_end(worker, submission).log
    assert "inputs: ['train']" in log
    assert log.count("not there") == 2
    assert "Read-only file system" in log


@needs_bubblewrap
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise SystemExit('no idea')", "exited with code 1"),
        ("print('done')", "left no file in /output"),
        ("held = bytearray(2**30)", "more memory than the limit"),
    ],
)
def test_code_that_fails_is_refused_with_its_log_and_costs_nothing(
    code_competition, tmp_path, worker, source, expected
):
    from genmem.arena.submissions.services import allowance

    submission = submit(code_competition, tmp_path, main__py=source)
    step = advance_to_end(worker, submission)
    assert (submission.state, step.state) == ("refused", "failed")
    assert expected in submission.message + step.log.lower()
    assert allowance(submission.team).used == 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"other__py": "x"}, "Expected main.py or submission.toml at the top of the zip"),
        ({"submission__toml": "command = 'x'"}, "expected a list of words"),
        ({"submission__toml": "comand = ['x']"}, "unknown key 'comand'"),
        ({"../main__py": "x"}, "points outside the zip"),
    ],
)
def test_a_zip_without_code_is_refused(
    code_competition, tmp_path, worker, monkeypatch, files, expected
):
    from genmem.arena.scoring import code_runs

    monkeypatch.setattr(code_runs, "_sandbox_holds", lambda *_: True)
    submission = submit(code_competition, tmp_path, **files)
    advance_to_end(worker, submission)
    assert submission.state == "refused"
    assert expected in submission.message


def test_code_is_held_while_the_sandbox_is_not_safe(
    code_competition, tmp_path, worker, monkeypatch
):
    from genmem.arena import sandbox
    from genmem.arena.scoring import code_runs

    from ..factories import a_user, captain, signed_in

    report = sandbox.SandboxReport(
        False, "bubblewrap", "", "", (sandbox.Check("no network", False, "a port answered"),)
    )
    monkeypatch.setattr(sandbox, "trusted_report", lambda image=None: report)
    monkeypatch.setattr(code_runs, "_sandbox_failed_at", {})
    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    code_runs.advance(worker)
    submission.refresh_from_db()
    assert submission.state == "received"
    assert "when the organizers have fixed the sandbox" in submission.message
    where = f"/c/dogs/submissions/{submission.pk}/"
    team_page = signed_in(captain(submission.team)).get(where).content.decode()
    assert "when the organizers have fixed" in team_page
    assert "a port answered" not in team_page
    organizer_page = signed_in(a_user(is_staff=True)).get(where).content.decode()
    assert "no network: a port answered" in organizer_page


@needs_bubblewrap
def test_the_next_worker_finds_a_run_and_does_not_start_it_twice(
    code_competition, tmp_path, worker
):
    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun
    from genmem.arena.scoring.queue import register, retire

    slow = "import time\nprint('begun', flush=True)\ntime.sleep(2)\n" + GOOD_CODE
    submission = submit(code_competition, tmp_path, main__py=slow)
    until = time.monotonic() + 30
    while not CodeRun.objects.filter(submission=submission).exclude(folder="").exists():
        code_runs.advance(worker)
        assert time.monotonic() < until
    retire(worker)
    import os

    step = advance_to_end(register(os.getpid()), submission)
    assert step.state == "done"
    assert step.log.count("begun") == 1
    assert step.attempts == 1


@needs_bubblewrap
def test_a_lost_run_is_started_again_a_few_times_and_then_fails(code_competition, tmp_path, worker):
    import json
    import os
    import signal
    from pathlib import Path

    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun
    from genmem.arena.scoring.retry import MAX_ATTEMPTS

    submission = submit(code_competition, tmp_path, main__py="import time\ntime.sleep(600)")
    killed = set()
    until = time.monotonic() + 60
    while submission.state != "failed":
        code_runs.advance(worker)
        submission.refresh_from_db()
        run = CodeRun.objects.filter(submission=submission).exclude(folder="").first()
        record = Path(run.folder) / "run.json" if run else None
        if record and record.exists() and record not in killed:
            supervisor = json.loads(record.read_text()).get("supervisor")
            if supervisor:
                os.kill(supervisor["pid"], signal.SIGKILL)
                killed.add(record)
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(killed) == MAX_ATTEMPTS
    assert not submission.counts_against_limit


def test_runs_of_a_lost_machine_are_released(code_competition, tmp_path, worker, monkeypatch):
    from datetime import timedelta

    from django.utils import timezone

    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun

    monkeypatch.setattr(code_runs, "_take", lambda *_: None)
    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    run = CodeRun.objects.create(
        submission=submission, host="elsewhere", folder="/x",
        checked_at=timezone.now() - timedelta(days=3650),
    )  # fmt: skip
    code_runs.advance(worker)
    run.refresh_from_db()
    assert (run.host, run.folder) == ("", "")


def test_a_run_that_another_machine_took_over_meanwhile_keeps_its_attempt(
    code_competition, tmp_path, worker, monkeypatch
):
    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun
    from genmem.arena.submissions.models import Step

    def another_machine_is_faster(run):
        CodeRun.objects.filter(pk=run.pk).update(host="third", folder="/y")
        return True

    monkeypatch.setattr(code_runs, "_take", lambda *_: None)
    monkeypatch.setattr(code_runs, "_is_abandoned", another_machine_is_faster)
    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    CodeRun.objects.create(submission=submission, host="elsewhere", folder="/x")
    Step.objects.update_or_create(
        submission=submission, name="run", defaults={"state": "running", "attempts": 2}
    )
    code_runs.advance(worker)
    step = Step.objects.get(submission=submission, name="run")
    assert (step.state, step.attempts) == ("running", 2)


def test_no_team_has_two_runs_while_another_waits(code_competition, tmp_path, worker, monkeypatch):
    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun

    from ..factories import a_team, send

    monkeypatch.setattr(code_runs, "_sandbox_holds", lambda *_: True)
    monkeypatch.setattr(code_runs, "_advance", lambda *_: None)
    path = code_of(tmp_path / "code.zip", main__py=GOOD_CODE)
    large_team, small_team = a_team(code_competition), a_team(code_competition)
    for team in (large_team, large_team, small_team):
        send(team, path, kind="code")
    code_runs.advance(worker)
    taken = CodeRun.objects.exclude(host="").values_list("submission__team_id", flat=True)
    assert sorted(taken) == [large_team.pk, small_team.pk]
    CodeRun.objects.filter(submission__team=small_team).update(outcome={})
    code_runs.advance(worker)
    assert sorted(taken.all()) == [large_team.pk, large_team.pk, small_team.pk]


@needs_bubblewrap
def test_a_storage_that_fails_while_a_run_is_collected_costs_no_second_run(
    code_competition, tmp_path, worker, monkeypatch
):
    from genmem.arena.scoring import code_runs
    from genmem.arena.scoring.models import CodeRun
    from genmem.arena.submissions.exceptions import StorageError
    from genmem.arena.submissions.models import Step

    monkeypatch.setattr(code_runs, "_COLLECT_EVERY", 0.0)
    store, failures = code_runs.storage.store_file, []

    def unavailable_twice(source, name):
        if name.startswith("output/") and len(failures) < 2:
            failures.append(name)
            raise StorageError("the storage s3://bucket does not respond")
        store(source, name)

    monkeypatch.setattr(code_runs.storage, "store_file", unavailable_twice)
    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    folders, until = set(), time.monotonic() + 60
    while (step := Step.objects.filter(submission=submission, name="run").first()) is None or (
        step.state != "done"
    ):
        code_runs.advance(worker)
        folders |= set(CodeRun.objects.values_list("folder", flat=True)) - {""}
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(failures) == 2
    assert len(folders) == 1  # one run, collected at the third attempt
    assert step.attempts == 1


def test_a_self_check_that_fails_holds_the_code_and_ends_no_worker(
    code_competition, tmp_path, worker, monkeypatch
):
    from genmem.arena import sandbox
    from genmem.arena.scoring import code_runs
    from genmem.arena.submissions.models import Step

    def broken(image=None):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(sandbox, "trusted_report", broken)
    monkeypatch.setattr(code_runs, "_sandbox_failed_at", {})
    submission = submit(code_competition, tmp_path, main__py=GOOD_CODE)
    code_runs.advance(worker)
    submission.refresh_from_db()
    assert submission.message == code_runs.HELD_MESSAGE
    step = Step.objects.filter(submission=submission, name="run").first()
    assert step is None or "Too many open files" in step.detail
