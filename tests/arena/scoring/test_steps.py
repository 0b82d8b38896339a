"""What each step does: every submission ends, with one score on each split."""

import json

import numpy as np
import pytest

from ..images import COUNT, png

pytestmark = pytest.mark.usefixtures("database")


def scores_of(submission):
    from genmem.arena.leaderboards.models import ScoreVersion

    return {
        version.split.kind: version
        for version in ScoreVersion.objects.filter(submission=submission)
    }


def step(submission, name):
    from genmem.arena.submissions.models import Step

    return Step.objects.get(submission=submission, name=name)


def test_a_submission_goes_through_all_steps_and_has_a_score_on_each_split(competition, tmp_path):
    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    assert run_steps(submission) == ["done"] * 6
    assert submission.state == "scored"
    found = scores_of(submission)
    assert set(found) == {"public", "private"}
    assert found["public"].score != found["private"].score
    for name in ("validate", "publish"):
        assert step(submission, name).state == "done"
        assert step(submission, name).ended_at is not None


def test_the_scores_are_those_of_genmem_score(competition, tmp_path):
    import genmem

    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    for kind, version in scores_of(submission).items():
        expected = genmem.score(
            generated=tmp_path / "0.zip",
            train=tmp_path / "dogs" / kind,
            backbone="pixels",
            metrics=["fd", "memorization_distance", "mifid"],
            tau=version.tau,
        )
        assert version.fd == pytest.approx(expected["fd"].value, rel=1e-9)
        assert version.distance == pytest.approx(expected["memorization_distance"].value, rel=1e-6)
        assert version.score == pytest.approx(expected["mifid"].value, rel=1e-6)


def test_a_reference_takes_the_place_of_the_training_images(competition, tmp_path):
    import genmem
    from genmem.arena.moderation.gallery import gallery
    from genmem.arena.scoring.errors import SetupError
    from genmem.arena.scoring.programs import _training_images
    from genmem.arena.scoring.reference_features import space_of

    from .factories import new_split_version, run_steps, submit

    plain = submit(competition, tmp_path)
    run_steps(plain)
    expected = scores_of(plain)
    for kind, version in expected.items():
        folder = tmp_path / f"{kind}.genmem"
        genmem.build_reference(train=version.split.train, out=folder, backbone="pixels")
        split = new_split_version(competition, kind, train=str(folder))
        assert space_of(split).name == space_of(version.split).name
    submission = submit(competition, tmp_path)
    run_steps(submission)
    for kind, version in scores_of(submission).items():
        assert version.score == expected[kind].score
        assert version.split.train.endswith(".genmem")
        assert gallery(version).pairs[0].training == gallery(expected[kind]).pairs[0].training
    with pytest.raises(SetupError, match=r"public\.genmem is a reference, and submitted code"):
        _training_images(competition)
    with pytest.raises(SetupError, match=r"has no features of pixels@4; it has pixels\."):
        space_of(new_split_version(competition, "public", backbone="pixels@4"))


def test_features_and_distances_are_stored_under_their_names(competition, tmp_path):
    from genmem.arena.scoring.models import SplitFeatures
    from genmem.arena.submissions import storage

    from .factories import TRAIN, run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    spaces = {row.split.kind: row.space for row in SplitFeatures.objects.all()}
    assert len(set(spaces.values())) == 2
    for kind, space in spaces.items():
        assert scores_of(submission)[kind].distances == f"distances/{submission.pk}/{space}.npz"
        with storage.local(f"features/{submission.pk}/{space}.npy") as path:
            assert np.load(path).shape == (COUNT, 8 * 8 * 3)
        with storage.local(f"distances/{submission.pk}/{space}.npz") as path:
            kept = np.load(path)
            assert list(kept["names"]) == [f"{n}.png" for n in range(COUNT)]
            assert (kept["distance"].dtype, kept["train"].dtype) == (np.float32, np.int64)
            assert kept["train"].max() < TRAIN
        with storage.local(f"splits/{space}/train.json") as path:
            assert json.loads(path.read_text())[0] == "000.png"


def test_a_copy_has_distance_zero_and_its_source_is_known(competition, tmp_path):
    from genmem.arena.submissions import storage

    from ..factories import a_team, send
    from .factories import run_steps, zip_images

    images = [png(1003), png(1007), png(1), png(2)]
    submission = send(a_team(competition), zip_images(tmp_path / "copies.zip", images=images))
    run_steps(submission)
    with storage.local(scores_of(submission)["public"].distances) as path:
        kept = np.load(path)
        assert kept["distance"][:2] == pytest.approx(0, abs=1e-6)
        assert list(kept["train"][:2]) == [3, 7]


def test_doing_every_step_again_changes_nothing(competition, tmp_path):
    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission)
    before = {kind: version.pk for kind, version in scores_of(submission).items()}
    assert run_steps(submission) == ["done"] * 6
    assert {kind: version.pk for kind, version in scores_of(submission).items()} == before


def test_two_workers_on_the_same_step_write_one_score(competition, tmp_path):
    """The slower worker finds that the step is done, and writes nothing."""
    from genmem.arena.scoring.pipeline import run_score
    from genmem.arena.scoring.steps import begin

    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission, "validate", "public features")
    slow = begin(submission, "public score")
    assert slow is not None
    run_steps(submission, "public score")
    run_score(slow)
    from genmem.arena.leaderboards.models import ScoreVersion

    assert ScoreVersion.objects.filter(submission=submission).count() == 1


def test_nothing_is_on_the_board_or_shown_before_it_is_published(competition, tmp_path):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows
    from genmem.arena.leaderboards.scores import scores_in_force

    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission, "validate", "public features", "public score")
    assert submission.state == "scoring"
    assert leaderboard_rows(competition, "public") == []
    assert scores_in_force([submission], private=True) == {}
    run_steps(submission)
    assert [row.name for row in leaderboard_rows(competition, "public")] == [submission.team.name]
    assert set(scores_in_force([submission], private=True)[submission.pk]) == {"public", "private"}


def test_wrong_files_are_refused_with_their_names_and_cost_nothing(competition, tmp_path):
    from genmem.arena.submissions.services import allowance

    from ..factories import a_team, send
    from .factories import run_steps, zip_images

    team = a_team(competition)
    images = [png(1), png(2, size=(9, 8)), b"no image", png(3)]
    submission = send(team, zip_images(tmp_path / "bad.zip", images=images))
    assert allowance(team).used == 1
    assert run_steps(submission) == ["refused"]
    assert submission.state == "refused"
    assert "2 of 4 files are invalid" in submission.message
    assert "1.png: it has 9 × 8 pixels" in submission.message
    assert allowance(team).used == 0
    assert step(submission, "validate").state == "failed"
    assert step(submission, "public features").state == "waiting"


def test_a_fault_of_the_organizers_fails_and_its_detail_is_theirs(competition, tmp_path):
    from .factories import new_split_version, run_steps, submit

    new_split_version(competition, "private", train="/no/such/secret/folder")
    submission = submit(competition, tmp_path)
    assert run_steps(submission)[-1] == "failed"
    assert submission.state == "failed"
    assert submission.counts_against_limit is False
    failed = step(submission, "private features")
    assert failed.state == "failed"
    assert "/no/such/secret/folder" in failed.detail
    assert "secret" not in submission.message + failed.log


def test_a_step_that_fails_for_a_temporary_reason_is_retried(competition, tmp_path, monkeypatch):
    from genmem.arena.scoring import evaluate, step_runner

    from .factories import run_steps, submit

    monkeypatch.setattr(step_runner, "RETRY_PAUSE", 0)
    real, calls = evaluate.nearest, []

    def full_disk_at_first(*given, **named):
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(*given, **named)

    monkeypatch.setattr(evaluate, "nearest", full_disk_at_first)
    submission = submit(competition, tmp_path)
    assert run_steps(submission) == ["done"] * 6


def test_a_step_that_always_fails_ends_after_all_attempts(competition, tmp_path, monkeypatch):
    from genmem.arena.scoring import evaluate, step_runner
    from genmem.arena.scoring.retry import MAX_ATTEMPTS

    from .factories import run_steps, submit

    monkeypatch.setattr(step_runner, "RETRY_PAUSE", 0)
    calls = []

    def full_disk(*given, **named):
        calls.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evaluate, "nearest", full_disk)
    submission = submit(competition, tmp_path)
    assert run_steps(submission) == ["done", "failed"]
    assert len(calls) == MAX_ATTEMPTS
    assert "No space left on device" in step(submission, "public features").detail


def test_a_step_that_kills_its_worker_each_time_is_not_retried_for_ever(competition, tmp_path):
    from genmem.arena.scoring.retry import MAX_ATTEMPTS
    from genmem.arena.scoring.steps import begin

    from .factories import run_steps, submit

    submission = submit(competition, tmp_path)
    run_steps(submission, "validate")
    for _ in range(MAX_ATTEMPTS):
        assert begin(submission, "public features") is not None  # and the worker dies
    assert run_steps(submission, "public features") == ["failed"]
    assert submission.state == "failed"
    assert "the worker died" in step(submission, "public features").detail


def test_black_images_have_no_direction_and_no_score(competition, tmp_path):
    import io

    from PIL import Image

    from ..factories import a_team, send
    from .factories import run_steps, zip_images

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format="PNG")
    submission = send(
        a_team(competition), zip_images(tmp_path / "black.zip", images=[buffer.getvalue()] * 4)
    )
    assert run_steps(submission) == ["done"] * 6
    assert scores_of(submission)["public"].score is None
    assert scores_of(submission)["public"].fd is not None
    assert submission.counts_against_limit
    assert "no direction" in step(submission, "public score").log


def test_the_features_of_a_split_are_computed_once(competition, tmp_path, monkeypatch):
    from genmem.arena.scoring import reference_features

    from .factories import image_folder, new_split_version, run_steps, submit

    real, extracted = reference_features.extract, []
    for first, kind in ((7000, "public"), (8000, "private")):
        new_split_version(
            competition, kind, train=str(image_folder(tmp_path / "own" / kind, 12, first))
        )

    def counting_extract(source, **named):
        extracted.append(source.name)
        return real(source, **named)

    monkeypatch.setattr(reference_features, "extract", counting_extract)
    for seed in range(3):
        run_steps(submit(competition, tmp_path, seed=10 * seed))
    new_split_version(competition, "public", tau=0.5)
    run_steps(submit(competition, tmp_path, seed=100))
    assert extracted == ["public", "private"]


def test_another_reference_set_is_stored_beside_the_training_images(competition, tmp_path):
    from genmem.arena.scoring.models import SplitFeatures

    from .factories import image_folder, new_split_version, run_steps, submit

    reference = image_folder(tmp_path / "reference", 20, 3000)
    split = new_split_version(competition, "public", reference=str(reference))
    submission = submit(competition, tmp_path)
    run_steps(submission)
    assert SplitFeatures.objects.get(split=split).reference_count == 20
    import genmem

    expected = genmem.score(
        generated=tmp_path / "0.zip", train=reference, backbone="pixels", metrics=["fd"]
    )
    assert scores_of(submission)["public"].fd == pytest.approx(expected["fd"].value, rel=1e-9)


def test_with_a_real_network_the_scores_are_those_of_genmem_score(tmp_path):
    import genmem

    from .factories import competition_with_images, run_steps, submit

    competition = competition_with_images(tmp_path, backbone="efficientnet-lite0")
    submission = submit(competition, tmp_path)
    assert run_steps(submission) == ["done"] * 6
    version = scores_of(submission)["public"]
    assert len(version.weights_sha256) == 64
    expected = genmem.score(
        generated=tmp_path / "0.zip",
        train=tmp_path / "dogs" / "public",
        backbone="efficientnet-lite0",
        metrics=["fd", "mifid"],
        tau=0.1,
    )
    assert version.fd == pytest.approx(expected["fd"].value, rel=1e-5)
    assert version.score == pytest.approx(expected["mifid"].value, rel=1e-5)


def test_two_workers_can_prepare_a_split_at_once(competition, tmp_path, monkeypatch):
    """The slower worker finds that the faster one has removed the scratch folder."""
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.scoring import reference_features
    from genmem.errors import UsageError

    split = split_in_force(competition, "public")
    rows, first = reference_features._Source._rows, []

    def slow(source, scratch, progress):
        if not first:
            first.append(source)
            reference_features._prepare(split, None)
            raise UsageError("cannot write the cache folder (No such file or directory)")
        return rows(source, scratch, progress)

    monkeypatch.setattr(reference_features._Source, "_rows", slow)
    space = reference_features.space_of(split)
    assert reference_features.load(space.train).shape[0] == 12


def test_an_error_that_names_a_path_of_this_machine_is_for_the_organizers(
    competition, tmp_path, monkeypatch
):
    from genmem.arena.scoring import evaluate
    from genmem.errors import InputError

    from .factories import run_steps, submit

    def cache_that_keeps_nothing(*_, **__):
        raise InputError("the cache folder /srv/arena/work does not keep what is written to it.")

    monkeypatch.setattr(evaluate, "extract", cache_that_keeps_nothing)
    submission = submit(competition, tmp_path)
    assert run_steps(submission) == ["done", "failed"]
    features = step(submission, "public features")
    assert "/srv/arena" not in submission.message + features.log
    assert "/srv/arena" in features.detail
    assert not submission.counts_against_limit


def test_every_image_that_is_validated_is_a_heartbeat(tmp_path):
    from genmem.arena.core import heartbeat
    from genmem.arena.submissions.validate import InvalidImages, validate
    from genmem.arena.submissions.zip_index import limits_for

    from ..images import COUNT
    from .factories import zip_images

    path = zip_images(tmp_path / "images.zip")
    limits = limits_for(count=COUNT, width=8, height=8, zip_bytes=path.stat().st_size)
    with heartbeat.watch("validate"):
        heartbeat._beats["validate"] = -1e9
        assert heartbeat.stalled(1e6) == ["validate"]
        with pytest.raises(InvalidImages):
            validate(path, count=COUNT, width=9, height=9, formats=["png"], limits=limits)
        assert heartbeat.stalled(60) == []
    assert heartbeat.stalled(0) == []


def test_an_upload_of_the_training_images_is_ranked_last_as_a_replay(competition, tmp_path):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows

    from ..factories import a_team, send
    from .factories import TRAIN, run_steps, zip_images

    competition.image_count = TRAIN
    competition.save()
    sets = {
        "replay": [png(1000 + (5 * number) % TRAIN) for number in range(TRAIN)],
        "half": [png(1000 + number % (TRAIN // 2)) for number in range(TRAIN)],
        "honest": [png(number) for number in range(TRAIN)],
    }
    for name, images in sets.items():
        path = zip_images(tmp_path / f"{name}.zip", images=images)
        assert run_steps(send(a_team(competition, name), path)) == ["done"] * 6
    rows = leaderboard_rows(competition, "public")
    assert [(row.name, row.standing.label) for row in rows] == [
        ("honest", ""),
        ("half", "penalized"),
        ("replay", "replay of the training set"),
    ]
