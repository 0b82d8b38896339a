import numpy as np
import pytest
from PIL import Image

from genmem.errors import InputError, UsageError
from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import in_classes_of, load_shared_images, load_training_images


def write(folder, pixels, names=None):
    names = names or [f"{number:03d}.png" for number in range(len(pixels))]
    for name, image in zip(names, pixels, strict=True):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    return folder


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)


def test_all_images_come_in_their_order_with_channels_first(tmp_path, pixels):
    found = load_training_images(write(tmp_path / "a", pixels))
    assert np.array_equal(found.pixels, pixels.transpose(0, 3, 1, 2))
    assert found.pixels.flags.c_contiguous
    assert found.labels is None
    assert found.ids[1] == "001.png"
    assert found.size == 8


def test_smaller_counts_of_a_seed_are_subsets_of_larger_ones(pixels):
    small, large = (load_training_images(pixels, ImageSelection(limit=n, seed=4)) for n in (4, 9))
    assert small.ids == large.ids[:4]
    assert load_training_images(pixels, ImageSelection(limit=4, seed=5)).ids != small.ids


def test_more_images_than_there_are_is_an_error_that_names_both_numbers(pixels):
    with pytest.raises(InputError, match="expected at least 13 images, found 12"):
        load_training_images(pixels, ImageSelection(limit=13))


def test_images_that_are_not_square_become_their_central_square_and_it_is_said(tmp_path, pixels):
    found = load_training_images(write(tmp_path / "a", pixels[:, :, 1:7]))
    assert np.array_equal(found.pixels, pixels[:, 1:7, 1:7].transpose(0, 3, 1, 2))
    assert found.notes == ("12 images were not square: their central square was taken.",)
    smaller = load_training_images(tmp_path / "a", ImageSelection(size=4))
    expected = Image.fromarray(pixels[0, 1:7, 1:7]).resize((4, 4), Image.Resampling.LANCZOS)
    assert np.array_equal(smaller.pixels[0].transpose(1, 2, 0), np.asarray(expected))


def test_images_shared_by_processes_are_those_of_every_other_training(tmp_path, pixels):
    folder = write(tmp_path / "a", pixels[:, :, 1:7], [f"{'ab'[n % 2]}/{n}.png" for n in range(12)])
    plain = load_training_images(folder, ImageSelection(size=4, classes=True))
    for _ in range(2):  # read, and mapped from the cache
        shared = load_shared_images(folder, size=4)
        assert shared.digest == plain.digest
        assert shared.ids == plain.ids
    none = load_shared_images(pixels, size=8)
    assert (none.labels, none.classes) == (None, ())


def test_notes_on_shared_images_are_the_same_whether_they_are_read_or_mapped(
    tmp_path, pixels, monkeypatch
):
    twice = np.concatenate([pixels, pixels[:3]])[:, :, 1:7]
    folder = write(tmp_path / "a", twice)
    first, again = (load_shared_images(folder, size=4) for _ in range(2))
    assert "3 images repeat an earlier one" in first.notes[0]
    assert "left out" not in first.notes[0]  # which cannot be asked for here
    assert first.notes[1] == "15 images were not square: their central square was taken."
    assert again.notes == first.notes
    counts = [path for path in (tmp_path / "cache").rglob("*.npy") if path.stat().st_size < 200]
    (count,) = counts
    count.unlink()  # as a cache is that knew of no such count
    assert load_shared_images(folder, size=4).notes == first.notes


def test_a_limit_takes_as_many_images_of_each_class(tmp_path, pixels):
    folder = write(tmp_path / "a", pixels, [f"{'ab'[n % 2]}/{n:02d}.png" for n in range(12)])
    found = load_shared_images(folder, size=8, limit=5)
    assert np.bincount(found.labels).tolist() == [3, 2]
    assert found.ids == ("a/00.png", "a/02.png", "a/04.png", "b/01.png", "b/03.png")
    with pytest.raises(InputError, match="there are 12"):
        load_shared_images(folder, size=8, limit=13)
    write(folder, pixels[:1], ["c/12.png"])
    with pytest.raises(InputError, match="some have fewer than 3"):
        load_shared_images(folder, size=8, limit=9)


def test_held_out_labels_are_numbered_as_the_training_images_are(tmp_path, pixels):
    train = write(tmp_path / "train", pixels, [f"{'abc'[n % 3]}/{n:02d}.png" for n in range(12)])
    test = write(tmp_path / "test", pixels[:4], [f"{'cb'[n % 2]}/{n:02d}.png" for n in range(4)])
    train, test = (load_shared_images(folder, size=8) for folder in (train, test))
    found = in_classes_of(test, train)
    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [1, 1, 2, 2]
    with pytest.raises(InputError, match="class 'a' is not among"):
        in_classes_of(train, test)
    assert in_classes_of(test, load_shared_images(pixels, size=8)).labels is None


def test_images_of_several_sizes_need_a_size(tmp_path, pixels):
    write(tmp_path / "a", [*pixels[:3], np.zeros((16, 16, 3), np.uint8)])
    with pytest.raises(InputError, match="size"):
        load_training_images(tmp_path / "a")
    assert load_training_images(tmp_path / "a", ImageSelection(size=4)).pixels.shape == (4, 3, 4, 4)


def test_images_are_made_smaller_by_lanczos(pixels):
    found = load_training_images(pixels, ImageSelection(size=4))
    expected = Image.fromarray(pixels[0]).resize((4, 4), Image.Resampling.LANCZOS)
    assert np.array_equal(found.pixels[0].transpose(1, 2, 0), np.asarray(expected))


def test_duplicates_are_counted_and_said(pixels):
    twice = np.concatenate([pixels, pixels[:3]])
    found = load_training_images(twice)
    assert (len(found), found.duplicates) == (15, 3)
    assert "3 images repeat an earlier one" in found.notes[0]
    assert load_training_images(pixels).notes == ()


def test_duplicates_are_left_out_on_request_and_others_drawn_instead(pixels):
    twice = np.concatenate([pixels, pixels])
    found = load_training_images(twice, ImageSelection(drop_duplicates=True))
    assert (len(found), found.duplicates) == (12, 12)
    drawn = load_training_images(twice, ImageSelection(drop_duplicates=True, limit=12))
    assert len({image.tobytes() for image in drawn.pixels}) == 12
    with pytest.raises(InputError, match="found 12 besides 12 duplicates"):
        load_training_images(twice, ImageSelection(drop_duplicates=True, limit=13))


def test_images_that_become_alike_when_made_small_are_duplicates():
    pixels = np.zeros((3, 8, 8, 3), np.uint8)
    pixels[1, 0, 0] = 1
    assert load_training_images(pixels).duplicates == 1
    assert load_training_images(pixels, ImageSelection(size=2)).duplicates == 2


@pytest.mark.parametrize("top", ["", "train/", "data/train/"])
def test_classes_are_folders_below_a_shared_top_folder_and_can_be_chosen(tmp_path, pixels, top):
    names = [f"{top}{'cat' if n % 3 else 'dog'}/{n:02d}.png" for n in range(12)]
    folder = write(tmp_path / "a", pixels, names)
    found = load_training_images(folder, ImageSelection(classes=True))
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0] * 8 + [1] * 4
    only = load_training_images(folder, ImageSelection(classes=True, only=("dog",)))
    assert only.labels.tolist() == [0] * 4
    with pytest.raises(InputError, match="no class named cow; the classes are cat, dog"):
        load_training_images(folder, ImageSelection(only=("cow",)))


@pytest.mark.parametrize("folder", ["a", "a/cat", "a/train/cat"])
def test_classes_of_images_without_any_or_all_of_one_class_are_an_error(tmp_path, pixels, folder):
    write(tmp_path / folder, pixels)
    with pytest.raises(InputError, match=r"has no class.*of two classes or more"):
        load_training_images(tmp_path / "a", ImageSelection(classes=True))
    assert load_shared_images(tmp_path / "a", size=8).labels is None


def test_broken_images_are_an_error_or_left_out_and_replaced(tmp_path, pixels):
    folder = write(tmp_path / "a", pixels)
    (folder / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"003\.png"):
        load_training_images(folder)
    found = load_training_images(folder, ImageSelection(skip_broken=True))
    assert len(found) == 11
    assert "1 file that cannot be read" in found.notes[0]
    assert len(load_training_images(folder, ImageSelection(skip_broken=True, limit=11))) == 11


def test_the_digest_tells_pixels_order_and_labels_apart(tmp_path, pixels):
    names = [f"{'cat' if n % 2 else 'dog'}/{n:02d}.png" for n in range(12)]
    folder = write(tmp_path / "a", pixels, names)
    plain = load_training_images(folder)
    assert plain.digest == load_training_images(folder).digest
    assert plain.digest != load_training_images(folder, ImageSelection(classes=True)).digest
    assert plain.digest != load_training_images(folder, ImageSelection(limit=12, seed=1)).digest


@pytest.mark.parametrize("wrong", [{"size": 0}, {"limit": 0}])
def test_no_size_and_no_count_are_refused(pixels, wrong):
    with pytest.raises(UsageError, match="expected at least 1"):
        load_training_images(pixels, ImageSelection(**wrong))


def test_side_files_beside_training_images_are_counted_in_a_note(tmp_path, pixels):
    folder = write(tmp_path / "a", pixels)
    (folder / "000.txt").write_text("a caption")
    note = "1 side file (captions, labels, metadata) in a was left out."
    assert load_training_images(folder).notes == (note,)
    assert load_shared_images(folder, size=8).notes == (note,)


def test_training_images_that_change_after_they_were_hashed_are_not_cached(tmp_path, pixels):
    folder = write(tmp_path / "a", pixels)
    honest = (folder / "005.png").read_bytes()
    calls = []

    def change(stage, done, total):
        calls.append(stage)
        if len(calls) == 1:  # every image is hashed by now, and none is decoded
            (folder / "005.png").write_bytes((folder / "004.png").read_bytes())

    with pytest.raises(InputError, match=r"005\.png in .*: changed while a was read"):
        load_shared_images(folder, size=8, progress=change)
    (folder / "005.png").write_bytes(honest)
    assert np.array_equal(load_shared_images(folder, size=8).pixels, pixels.transpose(0, 3, 1, 2))
