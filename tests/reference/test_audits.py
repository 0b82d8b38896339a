"""An audit against a reference is the audit against what the reference was made of."""

import shutil

import numpy as np
import pytest

from genmem import audit, build_reference
from genmem.auditing import duplicates, feature_spaces
from genmem.errors import UsageError
from genmem.report.audit.page import write_audit
from genmem.report.dossier.write import write_dossier

SPACES = ["pixels@8", "pixels@4"]


def assert_same(found, plain):
    """Both audits have the same p-values, flags, matches, duplicates and verdict."""
    for name in ("p_values", "q_values", "flagged", "by_power_law", "space"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    for one, other in zip(found.spaces, plain.spaces, strict=True):
        assert one.name == other.name
        for name in ("distances", "train", "statistic", "p_values"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.null.statistic, other.null.statistic)
        assert one.copied_fraction == other.copied_fraction
    for one, other in zip(found.duplicates, plain.duplicates, strict=True):
        assert one.to_dict() == other.to_dict()
        for name in ("first", "second", "distances", "exact", "same"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert found.verdict == plain.verdict
    assert found.yardstick == plain.yardstick
    assert found.copied_fraction == plain.copied_fraction
    assert found.digest() == plain.digest()


def test_an_audit_of_images_needs_no_training_image(tmp_path, images):
    build_reference(
        train=images["train"], test=images["test"], out=tmp_path / "r.genmem", backbone=SPACES
    )
    with audit(**images, backbone=SPACES, classes=True, drop_duplicates=True) as plain:
        pass
    for role in ("train", "test"):
        shutil.rmtree(images[role])
    with audit(
        generated=images["generated"],
        train=tmp_path / "r.genmem",
        classes=True,
        drop_duplicates=True,
    ) as found:
        write_audit(found, tmp_path / "audit")
    assert [space.name for space in found.spaces] == SPACES
    assert_same(found, plain)
    assert found.classes == plain.classes
    assert "5 of 40 generated images are exact copies of training images to the pixel" in "".join(
        [found.verdict.sentence, *found.verdict.reasons]
    )
    assert any("held-out images are those of r.genmem" in note for note in found.notes)
    assert any("local evidence was not looked for: it needs the pixels" in n for n in found.notes)
    assert len(list((tmp_path / "audit" / "pictures" / "train").iterdir())) > 5
    write_dossier(tmp_path / "audit")


def test_a_reference_without_pictures_gives_the_same_flags_and_says_why_none_is_shown(
    tmp_path, images
):
    reference = build_reference(
        train=images["train"], out=tmp_path / "r", backbone=SPACES, images=False
    )
    sets = {"generated": images["generated"]}
    with (
        audit(**sets, train=images["train"], backbone=SPACES) as plain,
        audit(**sets, train=reference) as found,
    ):
        np.testing.assert_array_equal(found.p_values, plain.p_values)
        assert found.verdict.label == plain.verdict.label
        assert found.thumbnails is None
    assert any("made without them (--no-images)" in note for note in found.notes)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 5, "neighbors": 12},
        {"drop_duplicates": True},
        {"groups": "near-duplicates"},
        {"groups": {"train": np.arange(100) // 2, "test": np.arange(100, 150) // 2}},
    ],
)
def test_an_audit_of_features_is_the_same(tmp_path, features, reference, settings):
    found = audit(generated=features["generated"], train=reference, **settings)
    assert_same(found, audit(**features, **settings))


@pytest.mark.parametrize("groups", [None, {"train": np.arange(100) // 2}])
def test_without_held_out_rows_training_rows_are_left_out_in_turn(tmp_path, features, groups):
    reference = build_reference(train=features["train"], out=tmp_path / "no-test.genmem")
    sets = {"generated": features["generated"], "groups": groups}
    found = audit(**sets, train=reference)
    assert found.spaces[0].null.source == "train"
    assert_same(found, audit(**sets, train=features["train"]))


def test_held_out_rows_that_are_given_take_the_place_of_stored_ones(features, reference):
    sets = {"generated": features["generated"], "test": features["test"][:30]}
    assert_same(audit(**sets, train=reference), audit(**sets, train=features["train"]))


def test_only_the_generated_rows_are_searched(features, reference, monkeypatch):
    searched = []
    search = feature_spaces.nearest_over_augmentations

    def record(queries, *args, **settings):
        searched.extend(queries)
        return search(queries, *args, **settings)

    monkeypatch.setattr(feature_spaces, "nearest_over_augmentations", record)
    monkeypatch.setattr(duplicates, "nearest_over_augmentations", record)
    audit(generated=features["generated"], train=reference)
    assert searched == ["generated"]


@pytest.mark.parametrize("option", [{"augment": ["flip"]}, {"local": True}, {"power": True}])
def test_what_needs_pixels_of_training_images_is_refused(tmp_path, images, option):
    reference = build_reference(train=images["train"], out=tmp_path / "r.genmem", backbone=SPACES)
    [name] = option
    with pytest.raises(UsageError, match=rf"^{name}: needs the pixels .*r\.genmem is a reference"):
        audit(generated=images["generated"], train=reference, **option)


def test_images_are_refused_by_a_reference_of_features_or_of_other_backbones(images, reference):
    with pytest.raises(UsageError, match="made of features"):
        audit(generated=images["generated"], train=reference)
    with pytest.raises(UsageError, match="has no features of pixels@8; it has features"):
        audit(generated=images["generated"], train=reference, backbone=["pixels@8"])


def test_classes_are_refused_where_the_reference_has_none(features, reference):
    with pytest.raises(UsageError, match="classes: the training images have none"):
        audit(generated=features["generated"], train=reference, classes=True)
