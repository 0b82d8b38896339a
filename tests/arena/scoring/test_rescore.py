"""Rescores when a split changes, and retries on an organizer's request."""

import pytest

pytestmark = pytest.mark.usefixtures("database")


def in_force(submission, kind="public"):
    from genmem.arena.leaderboards.scores import scores_in_force

    submission.refresh_from_db()
    return scores_in_force([submission], private=True)[submission.pk][kind]


def run_rescores(split):
    """Run all rescores of a split as workers do; their states."""
    from genmem.arena.scoring.models import Rescore
    from genmem.arena.scoring.rescore_task import run_rescore

    rows = Rescore.objects.filter(split=split).order_by("pk")
    return [run_rescore(row.pk) for row in rows]


def test_a_new_tau_rescores_everything_at_once_and_keeps_old_versions(competition, tmp_path):
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.scoring.rescore import rescore

    from ..factories import a_user
    from .factories import new_split_version, run_steps, submit

    submissions = [submit(competition, tmp_path, seed=10 * n) for n in range(3)]
    for submission in submissions:
        run_steps(submission)
    before = in_force(submissions[0])
    split = new_split_version(competition, "public", tau=1.0)
    assert rescore(split, "too mild", a_user()) == 3
    after = in_force(submissions[0])
    assert (after.tau, after.reason, after.supersedes.pk) == (1.0, "too mild", before.pk)
    assert after.score == pytest.approx(before.fd / before.distance)
    assert (after.fd, after.distance, after.distances) == (
        before.fd, before.distance, before.distances,
    )  # fmt: skip
    assert ScoreVersion.objects.filter(submission=submissions[0]).count() == 3
    assert rescore(split, "once more", None) == 0


def test_another_reference_set_is_scored_from_stored_features(competition, tmp_path, monkeypatch):
    from genmem.arena.scoring import evaluate
    from genmem.arena.scoring.rescore import rescore

    from .factories import image_folder, new_split_version, run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    before = in_force(submission)
    reference = image_folder(tmp_path / "reference", 20, 3000)
    split = new_split_version(competition, "public", reference=str(reference))

    def fail_if_called(*given, **named):
        raise AssertionError("no network runs again")

    monkeypatch.setattr(evaluate, "extract", fail_if_called)
    assert rescore(split, "a better reference", None) == 1
    assert in_force(submission).pk == before.pk
    assert run_rescores(split) == ["done"]
    after = in_force(submission)
    assert after.fd != before.fd
    assert after.distance == before.distance
    assert after.supersedes.pk == before.pk
    assert run_rescores(split) == ["done"]
    assert in_force(submission).pk == after.pk
    assert rescore(split, "once more", None) == 0


def test_a_late_rescore_does_not_supersede_the_score_of_a_newer_split(competition, tmp_path):
    from genmem.arena.scoring.rescore import rescore

    from .factories import image_folder, new_split_version, run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    splits = []
    for name, seed in (("older", 3000), ("newer", 3100)):
        reference = str(image_folder(tmp_path / name, 20, seed))
        splits.append(new_split_version(competition, "public", reference=reference))
        assert rescore(splits[-1], name, None) == 1
    older, newer = splits
    assert run_rescores(newer) == ["done"]
    assert run_rescores(older) == ["done"]
    assert in_force(submission).split.pk == newer.pk


def test_other_training_images_are_another_space(competition, tmp_path):
    from genmem.arena.scoring.rescore import rescore

    from .factories import image_folder, new_split_version, run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    before = in_force(submission, "private")
    split = new_split_version(
        competition, "private", train=str(image_folder(tmp_path / "more", 15, 4000))
    )
    assert rescore(split, "more images", None) == 1
    assert run_rescores(split) == ["done"]
    after = in_force(submission, "private")
    assert after.distances != before.distances
    assert after.distance != before.distance


def test_a_failed_rescore_keeps_the_score_and_says_why(competition):
    from genmem.arena.scoring.models import Rescore
    from genmem.arena.scoring.rescore import rescore

    from ..factories import a_team, scored
    from .factories import new_split_version

    imported = scored(a_team(competition), 20.0, 30.0)
    split = new_split_version(
        competition, "public", train=new_split_version(competition, "private").train
    )
    assert rescore(split, "other images", None) == 1
    assert run_rescores(split) == ["failed"]
    assert "there is no stored file of this name" in Rescore.objects.get().detail
    assert in_force(imported).score == 20.0


def test_a_rescore_that_fails_for_a_temporary_reason_is_retried_a_few_times(
    competition, tmp_path, monkeypatch
):
    from genmem.arena.scoring import rescore_task
    from genmem.arena.scoring.models import Rescore
    from genmem.arena.scoring.rescore import rescore
    from genmem.arena.scoring.retry import MAX_ATTEMPTS

    from ..factories import a_team, scored
    from .factories import new_split_version

    scored(a_team(competition), 20.0, 30.0)
    train = new_split_version(competition, "private").train
    split = new_split_version(competition, "public", train=train)
    rescore(split, "other images", None)

    def full_disk(row):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rescore_task, "_score", full_disk)
    monkeypatch.setattr(rescore_task, "RETRY_PAUSE", 0)
    for _ in range(MAX_ATTEMPTS):
        assert run_rescores(split) == ["waiting"]
    assert run_rescores(split) == ["failed"]
    assert f"{MAX_ATTEMPTS} attempts" in Rescore.objects.get().detail
    assert "No space left on device" in Rescore.objects.get().detail


def test_eleven_thousand_rescores_take_a_few_seconds(competition):
    import time

    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.leaderboards.scores import scored_submissions
    from genmem.arena.scoring.rescore import rescore
    from genmem.arena.submissions.models import Submission

    from ..factories import a_team, captain
    from .factories import new_split_version

    team, old = a_team(competition), split_in_force(competition, "public")
    author = captain(team)
    many = Submission.objects.bulk_create(
        Submission(
            team=team, author=author, kind="images", received_at=competition.opens_at, size=1,
            sha256="0" * 64, original_name="x.zip", state="scored", file="x",
        )
        for _ in range(11_192)
    )  # fmt: skip
    ScoreVersion.objects.bulk_create(
        ScoreVersion(
            submission=submission, split=old, fd=20.0, distance=0.15, score=20.0, tau=0.1,
            epsilon=1e-15, backbone="pixels",
        )
        for submission in many
    )  # fmt: skip
    split = new_split_version(competition, "public", tau=0.2)
    started = time.process_time()
    assert rescore(split, "τ is 0.2", None) == 11_192
    assert time.process_time() - started < 20
    scores = {entry.score for entry in scored_submissions(competition, "public")}
    assert list(scores) == [pytest.approx(20.0 / 0.15)]


def test_a_worker_queues_the_rescores_of_a_changed_split(competition, tmp_path):
    from genmem.arena.scoring.rescore import stale_count
    from genmem.arena.scoring.scheduler import queue_stale_rescores

    from .factories import new_split_version, run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission, "validate", "public features", "public score")
    split = new_split_version(competition, "public", tau=0.9)
    run_steps(submission)
    assert stale_count(split) == 1
    queue_stale_rescores()
    assert stale_count(split) == 0
    assert in_force(submission).reason == "Public split, version 3 is in force"


def test_an_organizer_can_retry_a_failed_submission_and_it_is_logged(competition, tmp_path):
    from genmem.arena.auditlog.models import LogEntry

    from ..factories import a_user, signed_in
    from .factories import new_split_version, run_steps, submit

    good = new_split_version(competition, "private").train
    new_split_version(competition, "private", train="/gone")
    submission = submit(competition, tmp_path)
    run_steps(submission)
    assert submission.state == "failed"
    organizer = a_user(is_staff=True)
    where = f"/c/dogs/submissions/{submission.pk}/"
    page = signed_in(organizer).get(where).content.decode()
    assert "Score again" in page
    assert "/gone" in page
    new_split_version(competition, "private", train=good)
    answer = signed_in(organizer).post(f"{where}retry/", follow=True)
    assert "scored again as soon as" in answer.content.decode()
    submission.refresh_from_db()
    assert (submission.state, submission.round) == ("received", 1)
    assert LogEntry.objects.filter(action="score again", actor=organizer).count() == 1
    assert run_steps(submission) == ["done"] * 6
    assert submission.state == "scored"
    answer = signed_in(organizer).post(f"{where}retry/", follow=True)
    assert "Only a refused or failed submission" in answer.content.decode()


def test_a_worker_of_an_earlier_round_changes_nothing(competition, tmp_path):
    from genmem.arena.scoring.retry import retry_submission
    from genmem.arena.scoring.step_runner import run_step
    from genmem.arena.scoring.steps import fail

    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    fail(submission, "validate", "gone")
    retry_submission(submission, None)
    assert submission.round == 0
    assert run_step(submission, "validate") == "received"
    fail(submission, "validate", "gone")
    submission.refresh_from_db()
    assert submission.state == "received"
    assert run_steps(submission)[-1] == "done"


def test_the_team_sees_the_message_and_not_the_detail(competition, tmp_path):
    from ..factories import captain, signed_in
    from .factories import new_split_version, run_steps, submit

    new_split_version(competition, "public", train="/hidden/place")
    submission = submit(competition, tmp_path)
    run_steps(submission)
    client = signed_in(captain(submission.team))
    page = client.get(f"/c/dogs/submissions/{submission.pk}/").content.decode()
    assert "not the submission&#x27;s fault" in page
    assert "does not count against the daily limit" in page
    assert "/hidden/place" not in page
    assert "Score again" not in page


def test_failed_rescores_are_shown_with_their_reason_and_can_be_retried(competition):
    from genmem.arena.scoring.models import Rescore
    from genmem.arena.scoring.rescore import rescore

    from ..factories import a_team, a_user, scored, signed_in
    from .factories import new_split_version

    imported = scored(a_team(competition, "Terriers"), 20.0, 30.0)
    split = new_split_version(
        competition, "public", train=new_split_version(competition, "private").train
    )
    rescore(split, "other images", None)
    organizer = signed_in(a_user(is_staff=True))
    where = "/c/dogs/setup/splits/public/"
    retry = "/c/dogs/rescores/public/retry/"
    assert "1 submission waits for a worker" in organizer.get(where).content.decode()
    assert run_rescores(split) == ["failed"]
    page = organizer.get(where).content.decode()
    assert "1 submission could not be rescored with version" in page
    assert "Terriers" in page
    assert "there is no stored file of this name" in page
    answer = organizer.post(retry, follow=True)
    assert "1 submission queued for scoring again" in answer.content.decode()
    row = Rescore.objects.get(submission=imported)
    assert (row.state, row.attempts, row.detail) == ("waiting", 0, "")
    assert run_rescores(split) == ["failed"]


def test_a_rescore_that_hangs_is_noticed(competition, tmp_path, monkeypatch):
    from genmem.arena.core.heartbeat import stalled
    from genmem.arena.scoring import rescore_task
    from genmem.arena.scoring.models import Rescore
    from genmem.arena.scoring.rescore import rescore

    from ..factories import a_team, scored
    from .factories import new_split_version

    scored(a_team(competition), 20.0, 30.0)
    train = new_split_version(competition, "private").train
    split = new_split_version(competition, "public", train=train)
    rescore(split, "other images", None)
    row = Rescore.objects.get()
    seen = []
    monkeypatch.setattr(rescore_task, "_score", lambda _: seen.extend(stalled(0)))
    rescore_task.run_rescore(row.pk)
    assert seen == [f"rescore {row.pk}"]
    assert stalled(0) == []
