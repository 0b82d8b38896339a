"""Adding and merging give what one build of all images gives."""

import numpy as np
import pytest

from genmem import build_reference, open_reference
from genmem.errors import InputError, UsageError
from genmem.reference.edit import add_to_reference, merge_references
from genmem.reference.verify import verify_reference


def assert_same_contents(first, second):
    """Both references describe the same rows, whatever their shards are."""
    assert first.spaces == second.spaces
    for role, entry in first.manifest.sets.items():
        other = second.manifest.sets[role]
        assert (entry.count, entry.digest, entry.classes) == (
            other.count,
            other.digest,
            other.classes,
        )
    for name in first.spaces:
        one, other = first.space(name), second.space(name)
        np.testing.assert_array_equal(one.features("train"), other.features("train"))
        for array in one.array_names:
            np.testing.assert_array_equal(one.array(array), other.array(array), err_msg=array)


def test_adding_rows_equals_building_all(tmp_path, features):
    train, test = features["train"], features["test"]
    whole = build_reference(train=train, test=test, out=tmp_path / "whole.genmem")
    build_reference(train=train[:60], test=test, out=tmp_path / "parts.genmem")
    extended = add_to_reference(tmp_path / "parts.genmem", train[60:])
    assert extended.manifest.train.shards == (60, 40)
    assert_same_contents(extended, whole)
    verify_reference(tmp_path / "parts.genmem")


def test_merging_images_equals_building_all(tmp_path, images):
    for name, role in (("a", "train"), ("b", "test")):
        build_reference(
            train=images[role], out=tmp_path / f"{name}.genmem", backbone=["pixels@8", "pixels"]
        )
    merged = merge_references(
        [tmp_path / "a.genmem", tmp_path / "b.genmem"], out=tmp_path / "merged.genmem"
    )
    assert merged.manifest.train.count == 100
    assert merged.thumbnail("train", 99) == open_reference(tmp_path / "b.genmem").thumbnail(
        "train", 39
    )
    added = add_to_reference(tmp_path / "a.genmem", images["test"])
    assert_same_contents(added, merged)


def test_references_of_other_spaces_are_not_merged(tmp_path, images):
    for name in ("pixels@8", "pixels@4"):
        build_reference(train=images["train"], out=tmp_path / name, backbone=name)
    with pytest.raises(InputError, match="has the spaces"):
        merge_references([tmp_path / "pixels@8", tmp_path / "pixels@4"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_of_another_dimension_are_not_added(tmp_path, features):
    build_reference(train=features["train"], out=tmp_path / "train.genmem")
    with pytest.raises(InputError, match=r"dimension is 12 .* and 7"):
        add_to_reference(tmp_path / "train.genmem", features["test"][:, :7])
    assert len(open_reference(tmp_path / "train.genmem")) == 100


def test_one_reference_is_nothing_to_merge(tmp_path, features):
    build_reference(train=features["train"], out=tmp_path / "train.genmem")
    with pytest.raises(UsageError, match="two references or more"):
        merge_references([tmp_path / "train.genmem"], out=tmp_path / "out")
