"""Duplicates are found in a reference as among the images that it was made of."""

import numpy as np
import pytest

from genmem import build_reference, duplicates
from genmem.errors import UsageError
from genmem.report.duplicates.page import write_duplicates

SPACES = ["pixels@8", "pixels@16"]


@pytest.fixture
def reference(tmp_path, images):
    return build_reference(train=images["train"], out=tmp_path / "r.genmem", backbone=SPACES)


def assert_same(found, plain):
    assert found.matches == plain.matches
    assert found.clusters == plain.clusters
    assert found.deleted == plain.deleted
    assert found.compared == plain.compared
    assert found.spaces == plain.spaces


def test_pairs_within_and_against_a_reference_are_the_same(tmp_path, images, reference):
    with (
        duplicates(images["train"], backbone=SPACES) as plain,
        duplicates(reference) as found,
    ):
        assert_same(found, plain)
        assert {match.kind for match in found.matches} == {"identical", "same"}
        write_duplicates(found, tmp_path / "page")
        assert len(list((tmp_path / "page" / "pictures" / "train").iterdir())) == 4
    assert any("pictures of at most 128 pixels" in note for note in found.notes)
    with (
        duplicates(images["generated"], against=images["train"], backbone=SPACES) as plain,
        duplicates(images["generated"], against=reference) as found,
    ):
        assert_same(found, plain)
        assert len(found.deleted) == 5
    with duplicates(reference, against=reference) as found:
        assert len(found.deleted) == 60


def test_a_larger_image_has_a_picture_but_no_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    large = pixels.repeat(20, axis=1).repeat(20, axis=2)
    large[5] = large[4]
    large[5, :9, :9] ^= 3
    reference = build_reference(train=large, out=tmp_path / "r.genmem", backbone="pixels@8")
    with duplicates(reference) as found:
        assert [match.kind for match in found.matches] == ["same"]
        assert found.deleted == ["000005"]
        assert (found.images[4].width, found.images[4].bytes) == (None, None)
        write_duplicates(found, tmp_path / "page")


def test_a_reference_without_pictures_or_of_features_is_refused(tmp_path, images, features):
    bare = build_reference(
        train=images["train"], out=tmp_path / "bare", backbone="pixels@8", images=False
    )
    with pytest.raises(UsageError, match="bare was made of images without pictures"):
        duplicates(bare)
    of_features = build_reference(train=features["train"], out=tmp_path / "features")
    with pytest.raises(UsageError, match="features was made of features"):
        duplicates(images["train"], against=of_features)
