"""A score against a reference is the score against what the reference was made of."""

import shutil

import numpy as np
import pytest

from genmem import build_reference, open_reference, score
from genmem.errors import InputError, UsageError
from genmem.metrics.registry import BUILT_IN
from genmem.reference.verify import verify_reference
from genmem.scoring import RunningScore
from genmem.scoring.protocols import DEFAULT_SETTINGS


def assert_same(reference_score, plain_score):
    """Both scores have the same metrics, verdict and yardstick, to the last digit."""
    assert dict(reference_score.metrics) == dict(plain_score.metrics)
    assert reference_score.verdict == plain_score.verdict
    assert reference_score.yardstick == plain_score.yardstick
    assert reference_score.repeats == plain_score.repeats
    assert [pair.train_id for pair in reference_score.closest] == [
        pair.train_id for pair in plain_score.closest
    ]
    for role, distances in plain_score.nearest.items():
        np.testing.assert_array_equal(reference_score.nearest[role], distances)


def test_every_metric_of_features_is_the_same(tmp_path, features):
    reference = build_reference(
        train=features["train"], test=features["test"], out=tmp_path / "train.genmem"
    )
    plain = score(**features, tau=0.3)
    by_default = {name for name, metric in BUILT_IN.items() if metric.by_default}
    assert set(plain.metrics) == by_default - {"inception_score"}
    assert_same(score(generated=features["generated"], train=reference, tau=0.3), plain)


@pytest.mark.parametrize("seed", [0, 5])
def test_every_metric_is_the_same_without_held_out_rows_and_for_any_seed(tmp_path, features, seed):
    build_reference(train=features["train"], out=tmp_path / "train.genmem")
    sets = {"generated": features["generated"], "tau": 0.3, "seed": seed}
    from_reference = score(**sets, train=tmp_path / "train.genmem")
    assert "test" not in from_reference.inputs
    assert_same(from_reference, score(**sets, train=features["train"]))


def test_held_out_rows_that_are_given_take_the_place_of_stored_ones(tmp_path, features):
    reference = build_reference(
        train=features["train"], test=features["test"], out=tmp_path / "train.genmem"
    )
    other = features["test"][:30]
    sets = {"generated": features["generated"], "test": other}
    assert_same(score(**sets, train=reference), score(**sets, train=features["train"]))


def test_more_rows_than_the_subset_of_precision_and_recall_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("genmem.metrics.prdc.SUBSET_ROWS", 40)
    monkeypatch.setattr("genmem.reference.description.SUBSET_ROWS", 40)
    monkeypatch.setattr("genmem.scoring.metric_inputs.SUBSET_ROWS", 40)
    monkeypatch.setitem(vars(DEFAULT_SETTINGS), "subset_rows", 40)
    train, generated = np.random.default_rng(0).normal(size=(2, 90, 6)).astype(np.float32)
    reference = build_reference(train=train, out=tmp_path / "train.genmem")
    names = ["precision", "recall", "density", "coverage"]
    for rows in (90, 30):
        sets = {"generated": generated[:rows], "metrics": names}
        assert_same(score(**sets, train=reference), score(**sets, train=train))


def test_a_space_of_many_features_stores_no_moments_and_gives_the_same(
    tmp_path, features, monkeypatch
):
    monkeypatch.setattr("genmem.reference.manifest.MOMENTS_DIMENSION", 11)
    reference = build_reference(train=features["train"], out=tmp_path / "train.genmem")
    assert not (reference.folder / "features" / "scatter.npy").exists()
    sets = {"generated": features["generated"]}
    assert_same(score(**sets, train=reference), score(**sets, train=features["train"]))
    verify_reference(reference.folder)


def test_a_score_of_images_needs_no_training_image(tmp_path, images):
    build_reference(
        train=images["train"],
        test=images["test"],
        out=tmp_path / "train.genmem",
        backbone=["pixels@8", "pixels"],
    )
    plain = score(**images, backbone="pixels@8")
    for role in ("train", "test"):
        shutil.rmtree(images[role])
    found = score(generated=images["generated"], train=tmp_path / "train.genmem")
    assert_same(found, plain)
    assert found.inputs["train"].digest == plain.inputs["train"].digest
    assert [pair.train_png for pair in found.closest] == [pair.train_png for pair in plain.closest]


def test_a_reference_without_thumbnails_says_why_no_image_is_shown(tmp_path, images):
    reference = build_reference(
        train=images["train"], out=tmp_path / "train.genmem", backbone="pixels@8", images=False
    )
    found = score(generated=images["generated"], train=reference)
    assert found.closest[0].train_png is None
    assert any("--no-images" in note for note in found.notes)


def test_images_come_in_batches_against_a_reference(tmp_path, images):
    reference = build_reference(
        train=images["train"], test=images["test"], out=tmp_path / "r.genmem", backbone="pixels@8"
    )
    running = RunningScore(train=reference)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    running.update(pixels[:20])
    running.update(pixels[20:])
    assert dict(running.compute().metrics) == dict(score(generated=pixels, train=reference).metrics)


def test_float16_features_give_the_scores_of_the_rounded_features(tmp_path, features):
    reference = build_reference(train=features["train"], out=tmp_path / "r", dtype="float16")
    rounded = features["train"].astype(np.float16).astype(np.float32)
    sets = {"generated": features["generated"]}
    assert dict(score(**sets, train=reference).metrics) == dict(
        score(**sets, train=rounded).metrics
    )


def test_a_backbone_that_the_reference_lacks_is_refused_with_those_it_has(tmp_path, images):
    reference = build_reference(
        train=images["train"], out=tmp_path / "train.genmem", backbone="pixels@8"
    )
    with pytest.raises(UsageError, match=r"has no features of sscd; it has pixels@8\."):
        score(generated=images["generated"], train=reference, backbone="sscd")


def test_a_reference_of_features_takes_no_images(tmp_path, images, features):
    reference = build_reference(train=features["train"], out=tmp_path / "train.genmem")
    with pytest.raises(UsageError, match="made of features"):
        score(generated=images["generated"], train=reference, backbone="pixels@8")


def test_features_of_another_dimension_are_refused(tmp_path, features):
    reference = build_reference(train=features["train"], out=tmp_path / "train.genmem")
    with pytest.raises(InputError, match="differ in feature dimension"):
        score(generated=features["generated"][:, :5], train=reference)


@pytest.mark.parametrize("role", ["generated", "test"])
def test_a_reference_stands_for_the_training_set_only(tmp_path, features, role):
    build_reference(train=features["train"], out=tmp_path / "train.genmem")
    sets = {**features, role: tmp_path / "train.genmem"}
    with pytest.raises(UsageError, match=f"{role}: expected images or features"):
        score(**sets)


def test_the_training_set_itself_is_recognized_as_generated(tmp_path, features):
    reference = open_reference(
        build_reference(train=features["train"], out=tmp_path / "train.genmem").folder
    )
    found = score(generated=features["train"], train=reference)
    assert any("are the same set, byte for byte" in note for note in found.notes)
