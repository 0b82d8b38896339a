"""The audit as a whole, on small real images in pixel space: copies are named, honest ones not."""

import io
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import genmem
from genmem.auditing import audit, copied_images, copies_by_class
from genmem.auditing.augment_option import parse_families
from genmem.errors import InputError, UsageError
from genmem.images import AUGMENTATIONS
from genmem.report.audit.text import verdict


@pytest.fixture(scope="module")
def digits():
    """1,797 digits as uint8 RGB 16 × 16, in a seeded order."""
    small = (load_digits().images * 15.9).astype(np.uint8)
    large = [np.asarray(Image.fromarray(one).resize((16, 16))) for one in small]
    rng = np.random.default_rng(0)
    return np.repeat(np.stack(large)[rng.permutation(len(large))][..., None], 3, axis=3)


def jpeg(pixels, quality=90):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture(scope="module")
def sets(digits):
    train, test, honest = digits[:900], digits[900:1300], digits[1300:1700]
    copies = np.stack([jpeg(train[row]) for row in range(20)])
    flipped = np.ascontiguousarray(train[20:40, :, ::-1])
    return {"train": train, "test": test, "generated": np.concatenate([honest, copies, flipped])}


def test_recompressed_copies_are_flagged_with_their_training_images(sets):
    found = audit(**sets, backbone=["pixels@16"])
    assert found.flagged[400:420].all()
    assert [found.nearest(row)[1] for row in range(400, 420)] == list(range(20))
    assert found.flagged[:400].sum() <= 2


def test_flips_are_found_only_with_augmentation(sets):
    without = audit(**sets, backbone=["pixels@16"])
    found = audit(**sets, backbone=["pixels@16"], augment=["flip"])
    assert found.flagged[420:440].mean() > without.flagged[420:440].mean() + 0.5
    space, row, form, distance = found.nearest(425)
    assert (space.name, row, form.phrase, distance) == ("pixels@16", 25, "flipped", 0)


def test_a_family_of_augmentations_can_be_limited_to_one_space():
    forms, families = parse_families(["flip", "pixels:crops"], ["pixels@64", "inception"])
    assert len(forms) == 12
    assert list(families["pixels@64"]) == ["as they are", "flip", "crops"]
    assert list(families["inception"]) == ["as they are", "flip"]


def test_all_families_can_be_asked_for_by_one_word():
    forms, families = parse_families(["pixels:all", "inception:flip"], ["pixels", "inception"])
    assert list(families["pixels"]) == ["as they are", *AUGMENTATIONS]
    assert list(families["inception"]) == ["as they are", "flip"]
    assert len(forms) == 1 + sum(map(len, AUGMENTATIONS.values()))


def test_generated_and_train_cannot_be_swapped(sets):
    swapped = sets | {"generated": sets["train"], "train": sets["generated"]}
    assert audit(**sets, backbone=["pixels@16"]).flagged[400:420].all()
    found = audit(**swapped, backbone=["pixels@16"])
    # Now it is training images that copy; each names the one "training" image it is.
    assert [found.nearest(row)[1] for row in range(20)] == list(range(400, 420))


def test_the_copied_fraction_is_estimated_with_an_interval(sets):
    found = audit(**sets, backbone=["pixels@16"], augment=["flip"]).copied_fraction
    assert found is not None
    assert found.interval is not None
    assert found.interval.low <= 40 / 440 <= found.interval.high
    honest = audit(**(sets | {"generated": sets["generated"][:400]}), backbone=["pixels@16"])
    assert honest.copied_fraction.interval.low == 0


def test_without_a_test_set_left_out_training_images_are_the_null(sets):
    found = audit(generated=sets["generated"], train=sets["train"], backbone=["pixels@16"])
    assert found.spaces[0].null.source == "train"
    assert len(found.spaces[0].null.statistic) == 900
    assert found.flagged[400:420].all()
    assert any("left out in turn" in note for note in found.notes)


def test_a_note_says_that_there_are_too_few_honest_images(sets):
    found = audit(**(sets | {"test": sets["test"][:30]}), backbone=["pixels@16"])
    assert any("with 30 honest images even a perfect copy" in note for note in found.notes)
    assert not found.flagged.any()
    assert found.min_copies_flagged == math.ceil(440 / 31 / 0.05)


def test_several_spaces_are_combined_and_the_most_significant_is_named(sets):
    small = {role: images[-60:] for role, images in sets.items()}
    found = audit(**small, backbone=["pixels@16", "efficientnet-lite0"])
    assert [space.name for space in found.spaces] == ["pixels@16", "efficientnet-lite0"]
    p = np.stack([space.p_values for space in found.spaces])
    assert (np.take_along_axis(p, found.space[None], axis=0)[0] == p.min(axis=0)).all()


def test_copies_are_listed_by_training_image_and_class(sets, tmp_path):
    for row, pixels in enumerate(sets["train"][:200]):
        folder = tmp_path / ("even" if row % 2 == 0 else "odd")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{row:04d}.png")
    ids = [f"even/{row:04d}.png" for row in range(0, 200, 2)]
    ids += [f"odd/{row:04d}.png" for row in range(1, 200, 2)]
    copies = np.stack([sets["train"][0]] * 20 + [sets["train"][1]] * 15)
    given = np.concatenate([sets["generated"][:400], copies])
    with audit(
        generated=given,
        train=tmp_path,
        test=sets["test"],
        backbone=["pixels@16"],
        classes=True,
    ) as found:
        listed = copied_images(found)
        assert [found.train_ids[one.train] for one in listed[:2]] == [ids[0], "odd/0001.png"]
        assert [len(one.generated) for one in listed[:2]] == [20, 15]
        by_class = copies_by_class(found)
        assert by_class["even"][0] >= 20
        assert [images for _, _, images in by_class.values()] == [100, 100]
        picture = found.thumbnails.train(listed[0].train)
        assert (np.asarray(Image.open(io.BytesIO(picture))) == sets["train"][0]).all()


def test_duplicates_are_found_and_can_be_dropped(sets):
    train = np.concatenate([sets["train"], sets["train"][:5], [jpeg(sets["train"][7])]])
    test = np.concatenate([sets["test"], sets["train"][10:14]])
    given = {"generated": sets["generated"], "train": train, "test": test}
    found = audit(**given, backbone=["pixels@16"])
    inside, between = found.duplicates
    pairs = dict(zip(inside.first.tolist(), inside.second.tolist(), strict=True))
    assert pairs.items() >= {900: 0, 904: 4, 905: 7}.items()
    assert inside.exact[inside.first == 904].all()
    assert not inside.exact[inside.first == 905].any()
    assert {400, 401, 402, 403} <= set(between.first.tolist())
    dropped = audit(**given, backbone=["pixels@16"], drop_duplicates=True)
    assert dropped.spaces[0].null.dropped == dropped.duplicates[1].dropped >= 4
    assert (found.duplicates[0].dropped, found.duplicates[1].dropped) == (0, 0)
    assert not np.isin(dropped.spaces[0].train, inside.first).any()
    assert dropped.p_values[400:420].max() < found.p_values[400:420].max()


def headline_of(**given):
    found = audit(**given)
    return found, verdict(found)


def test_held_out_images_that_are_training_images_explain_as_many_exact_copies(sets, digits):
    """The held-out images hold a training image, then half of them are training images."""
    train, test = sets["train"], sets["test"]
    three = np.concatenate([digits[1300:1697], train[:3]])
    one = np.concatenate([test[1:], train[500:501]])
    half = np.concatenate([test[:200], train[500:700]])
    for held_out, said in ((one, "unless 40 come as close"), (half, "none of 400 images can be")):
        found, told = headline_of(
            generated=three, train=train, test=held_out, backbone=["pixels@16"]
        )
        assert told.level in ("clear", "open")
        assert "3 of 400 generated images are exact copies of training images" in told.sentence
        assert "the data set contains duplicates" in told.sentence
        assert any(said in note for note in found.notes)
        assert found.min_p_value * 400 > found.level


@pytest.mark.parametrize(
    ("images", "honest", "augment"), [(1, 30, ["flip"]), (3, 60, ["flip", "crops"])]
)
def test_one_copy_among_few_honest_images_is_flagged_with_several_augmentations(
    sets, digits, images, honest, augment
):
    given = np.concatenate([digits[1300 : 1300 + images - 1], sets["train"][:1]])
    found, told = headline_of(
        generated=given,
        train=sets["train"],
        test=sets["test"][:honest],
        backbone=["pixels@16"],
        augment=augment,
    )
    assert told.level == "copying"
    assert found.min_p_value == pytest.approx(1 / (honest + 1))
    honest_only, told = headline_of(
        generated=digits[1300 : 1300 + 4],
        train=sets["train"],
        test=sets["test"][:honest],
        backbone=["pixels@16"],
        augment=augment,
    )
    assert told.level == "open"
    assert honest_only.min_copies_flagged in (2, 3)


def test_a_note_names_flags_that_rest_on_the_power_law(digits):
    train, test, honest = digits[:700], digits[700:1300], digits[1300:1700]
    given = {"train": train, "test": test, "backbone": ["pixels@16"]}
    few = audit(generated=np.concatenate([honest, train[:8]]), **given)
    assert few.flagged[400:].all()
    assert few.by_power_law[400:].all()
    assert any("flags rest on a power law" in note for note in few.notes)
    assert few.to_dict()["flagged_by_power_law"] == few.by_power_law.sum()
    many = audit(generated=np.concatenate([honest, train[:100]]), **given)
    assert many.flagged[400:].all()
    assert not many.by_power_law.any()
    assert not any("power law" in note for note in many.notes)


def test_dropped_held_out_images_leave_the_share_of_copies_without_an_interval(sets):
    near = np.stack([jpeg(sets["train"][row]) for row in range(100, 105)])
    given = sets | {"test": np.concatenate([sets["test"], near])}
    found = audit(**given, backbone=["pixels@16"], augment=["flip"], drop_duplicates=True)
    assert found.spaces[0].null.dropped >= 5
    for one in (found.copied_fraction, found.spaces[0].copied_fraction):
        assert one.interval is None
        assert not {"p_value", "fewest_below"} & one.parts.keys()
        assert "no interval" in one.notes[0]
    assert any("not near-duplicates" in note for note in found.notes)
    assert verdict(replace(found, flagged=np.zeros_like(found.flagged))).word != "Suspicious"
    # Files that are the same are no matter of distance.
    clean = audit(**sets, backbone=["pixels@16"])
    assert len(clean.duplicates[1].first) <= 1
    same = sets | {"test": np.concatenate([sets["test"], sets["train"][100:105]])}
    kept = audit(**same, backbone=["pixels@16"], drop_duplicates=True)
    if kept.spaces[0].null.dropped == 5:
        assert kept.copied_fraction.interval is not None


def test_a_distance_of_zero_up_to_rounding_counts_as_zero():
    rng = np.random.default_rng(0)
    train, test, given = (np.abs(rng.standard_normal((n, 64))).astype("f4") for n in (400, 200, 90))
    test[0], given[0] = 3 * train[0], 3 * train[9]
    space = audit(generated=given, train=train, test=test).spaces[0]
    assert space.null.statistic[0] == space.statistic[0] == 0


def test_images_of_several_sizes_are_compared_after_stretching(sets, tmp_path):
    rng = np.random.default_rng(0)
    for row, pixels in enumerate(sets["train"]):
        width, height = rng.integers(20, 90, 2)
        Image.fromarray(pixels).resize((width, height)).save(tmp_path / f"{row:03d}.png")
    with audit(**sets | {"train": tmp_path}, backbone=["pixels"]) as found:
        assert [space.name for space in found.spaces] == ["pixels@64"]
        assert found.flagged[400:420].all()
        assert [found.nearest(row)[1] for row in range(400, 420)] == list(range(20))
        assert found.flagged[:400].sum() <= 2


def test_the_default_backbones_need_no_download_and_take_images_of_any_size(sets, tmp_path):
    for row, pixels in enumerate(sets["train"][:20]):
        Image.fromarray(pixels).resize((16 + row, 40 - row)).save(tmp_path / f"{row:02d}.png")
    with audit(generated=sets["train"][:3], train=tmp_path, test=sets["test"][:9]) as found:
        assert [space.name for space in found.spaces] == ["efficientnet-lite0", "pixels@64"]
        assert [found.nearest(row)[1] for row in range(3)] == [0, 1, 2]


def test_a_note_says_that_the_training_set_contains_every_image_twice(sets):
    train = np.concatenate([sets["train"][:300]] * 2)
    found, told = headline_of(generated=sets["generated"][:50], train=train, backbone=["pixels@16"])
    assert "most training images occur twice" in told.sentence
    assert any("600 training images are there twice" in note for note in found.notes)


def test_features_are_audited_in_their_own_space(sets):
    flat = {role: images.reshape(len(images), -1) / 255.0 for role, images in sets.items()}
    found = audit(**flat)
    assert [space.name for space in found.spaces] == ["features"]
    assert found.thumbnails is None
    assert found.flagged[400:420].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": []}, "several of different names"),
        ({"backbone": ["pixels", "pixels"]}, "several of different names"),
        ({"backbone": ["pixls"]}, "did you mean pixels"),
        ({"augment": ["spin"]}, "expected some of flip, vflip, crops"),
        ({"augment": ["vgg16:flip"]}, "expected one of pixels"),
        ({"augment": ["flip", "pixels@16:flip"]}, "once"),
        ({"backbone": ["pixels", "pixels@64"]}, "several of different names"),
        ({"backbone": ["pixels@2"]}, "at least 4 and at most 512"),
        ({"level": 0}, "between 0 and 1"),
        ({"neighbors": 0}, "at least 1"),
        ({"classes": True}, "a folder of its own"),
        ({"weights": "w.pt", "backbone": ["pixels", "inception"]}, "only one"),
    ],
)
def test_contradictory_arguments_are_refused(sets, changes, message):
    with pytest.raises(UsageError, match=message):
        audit(**(sets | {"backbone": ["pixels@16"]} | changes))


@pytest.mark.parametrize("folder", ["train/", "data/train/"])
def test_classes_below_a_folder_around_the_whole_set_are_reported(sets, tmp_path, folder):
    names = [f"{folder}{'cat' if n % 3 else 'dog'}/{n}.png" for n in range(len(sets["train"]))]
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        for name, image in zip(names, sets["train"], strict=True):
            with archive.open(name, "w") as file:
                Image.fromarray(image).save(file, "PNG")
    changed = sets | {"train": tmp_path / "train.zip"}
    with audit(**changed, backbone=["pixels@16"], classes=True) as found:
        assert set(found.classes) == {"cat", "dog"}
        assert found.classes.count("dog") == len([n for n in range(len(names)) if n % 3 == 0])


def test_one_class_where_classes_were_asked_for_is_refused(sets, tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    for number, image in enumerate(sets["train"]):
        Image.fromarray(image).save(tmp_path / "train" / "cat" / f"{number}.png")
    with pytest.raises(UsageError, match="all lie in one folder or have one label"):
        audit(**sets | {"train": tmp_path / "train"}, backbone=["pixels@16"], classes=True)


@pytest.mark.parametrize("role", ["generated", "train", "test"])
def test_an_empty_text_is_refused_by_its_role(sets, role):
    with pytest.raises(UsageError, match=f"{role}: expected a value, got an empty text"):
        audit(**sets | {role: ""}, backbone=["pixels@16"])


def test_features_cannot_be_flipped(sets):
    flat = {role: images.reshape(len(images), -1) / 255.0 for role, images in sets.items()}
    with pytest.raises(UsageError, match="give images as train"):
        audit(**flat, augment=["flip"])


def test_two_training_images_are_too_few(sets):
    with pytest.raises(InputError, match="at least 3 rows"):
        audit(**(sets | {"train": sets["train"][:2]}), backbone=["pixels@16"])


def test_the_expected_cost_is_announced_before_the_work(sets):
    said = []
    audit(**sets, backbone=["pixels@16"], augment=["flip"], announce=said.append)
    assert "images to embed" in said[0]
    assert not any("local evidence" in text for text in said)  # its images are small
    assert "--augment accounts for 900 of 2,640" in said[0]
    assert any("comparing 900 training images with all 900 for duplicates" in text for text in said)
    assert any("comparing 840 images with 1,800 training rows" in text for text in said)


def test_the_same_seed_gives_the_same_audit(sets):
    one, other = (audit(**sets, backbone=["pixels@16"]) for _ in range(2))
    assert (one.p_values == other.p_values).all()
    assert one.to_dict()["copied_fraction"] == other.to_dict()["copied_fraction"]


def test_audit_is_a_public_name():
    assert genmem.audit is audit
