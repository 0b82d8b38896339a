"""What was looked for is not listed as missed."""

import pytest

from genmem.images.augmentations import parse_augmentations
from genmem.scoring.missed_kinds import missed_kinds


def names(*families):
    return [augmentation.name for augmentation in parse_augmentations(families)]


@pytest.mark.parametrize(
    ("families", "words"),
    [
        ((), "mirrored, shifted, rotated or cropped copies"),
        (("flip",), "shifted, rotated or cropped copies"),
        (("flip", "crops"), "shifted or rotated copies"),
        (("rotations",), "mirrored, shifted, slightly rotated or cropped copies"),
        (("flip", "crops", "rotations", "tilts"), "shifted copies"),
    ],
)
def test_pixels_miss_only_the_changes_that_no_augmentation_makes(families, words):
    assert missed_kinds(["pixels@64"], augmentations=names(*families)).startswith(f"{words},")


@pytest.mark.parametrize("space", ["pixels@64", "efficientnet-lite0"])
def test_quarter_turns_are_missed_unless_they_are_compared(space):
    assert "turned by a quarter" in missed_kinds([space], augmentations=names("tilts"))
    turned = missed_kinds([space], augmentations=names("tilts", "rotations"))
    assert "turned by a quarter" not in turned


def test_shared_regions_find_what_is_moved_turned_or_cut_out():
    assert missed_kinds(["pixels@64"], parts=True) == "copies altered beyond recognition"
