import io

import numpy as np
import pytest
import torch
from PIL import Image

from genmem.errors import InputError
from genmem.images import decode, hash_images, open_images


def contents(source):
    return [decode(source.content(i), name="x") for i in range(len(source))]


def test_arrays_in_memory_and_on_disk_are_one_set_of_images(pixels, tmp_path):
    np.save(tmp_path / "a.npy", pixels)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(pixels))
    np.savez(tmp_path / "a.npz", pixels)
    np.savez_compressed(tmp_path / "b.npz", images=pixels, labels=np.arange(6))
    np.savez(tmp_path / "c.npz", whatever=pixels)
    sources = [pixels, torch.from_numpy(pixels), iter(pixels), list(torch.from_numpy(pixels))]
    sources += [tmp_path / name for name in ("a.npy", "fortran.npy", "a.npz", "b.npz", "c.npz")]
    for given in sources:
        with open_images(given) as source:
            assert np.array_equal(contents(source), pixels)
            assert [source.id(i) for i in range(6)] == [f"{i:06d}" for i in range(6)]
            assert source.class_name(0) is None
            assert hash_images(source).hexdigest == hash_images(open_images(pixels)).hexdigest


def test_a_npy_file_is_mapped_and_not_loaded(pixels, tmp_path):
    np.save(tmp_path / "a.npy", pixels)
    with open_images(tmp_path / "a.npy") as source:
        assert isinstance(source._pixels, np.memmap)


def test_gray_arrays_have_three_or_four_dimensions(pixels):
    gray = pixels[..., 0]
    for given in (gray, gray[..., None]):
        assert np.array_equal(contents(open_images(given)), np.repeat(gray[..., None], 3, axis=3))


def test_channels_may_be_first_where_the_shape_leaves_no_doubt(pixels, tmp_path):
    first = pixels.transpose(0, 3, 1, 2)
    np.save(tmp_path / "a.npy", first)
    for given in (
        first,
        torch.from_numpy(first),
        list(torch.from_numpy(first)),
        tmp_path / "a.npy",
    ):
        with open_images(given) as source:
            assert np.array_equal(contents(source), pixels)
            assert hash_images(source).hexdigest == hash_images(open_images(pixels)).hexdigest


@pytest.mark.parametrize(
    ("array", "fix"),
    [
        (np.zeros((5, 7), np.float32), "features, not images"),
        (np.zeros((5, 8, 8, 3), np.float32), "scale to 0 … 255"),
        (np.zeros((5, 8, 8, 3), np.int64), "Scale to 0 … 255"),
        (np.zeros((8, 8, 3), np.uint8), "add an axis"),
        (np.zeros((3, 8, 8), np.uint8), "add an axis"),
        (np.zeros((4, 8, 8), np.uint8), "add an axis"),
        (np.zeros((5, 8, 8, 7), np.uint8), "expected images"),
        (np.zeros((0, 8, 8, 3), np.uint8), "which is empty"),
        (np.zeros((2, 2, 8, 8, 3), np.uint8), "expected images"),
    ],
)
def test_an_array_that_is_no_images_is_refused_with_the_fix(array, fix, tmp_path):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", array)
    for given in (array, torch.from_numpy(array), tmp_path / "a.npy", tmp_path / "a.npz"):
        with pytest.raises(InputError, match=fix):
            open_images(given)


def test_a_tensor_whose_channels_may_be_first_or_last_is_refused():
    with pytest.raises(InputError, match="first or last"):
        open_images(torch.zeros(5, 3, 8, 3, dtype=torch.uint8))


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", np.array([{"a": 1}], object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=f"{name}: holds Python objects"):
            open_images(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_file_cut_short_is_named(name, pixels, tmp_path):
    save = np.save if name.endswith("y") else np.savez
    save(tmp_path / name, pixels)
    content = (tmp_path / name).read_bytes()
    for kept in (0, 5, 100, len(content) // 2):
        (tmp_path / name).write_bytes(content[:kept])
        with pytest.raises(InputError, match=name):
            open_images(tmp_path / name)


def test_an_npz_with_several_arrays_lists_them(pixels, tmp_path):
    np.savez(tmp_path / "a.npz", x=pixels, y=pixels)
    with pytest.raises(InputError, match=r"named images or arr_0, .* got x \[6, 8, 8, 3\], y"):
        open_images(tmp_path / "a.npz")


def test_an_npz_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("genmem.images.limits.RATIO_FLOOR", 2**20)
    np.savez_compressed(tmp_path / "a.npz", np.zeros((400, 64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="zip bomb"):
        open_images(tmp_path / "a.npz")


def test_an_iterable_may_mix_what_it_gives(pixels, encoded):
    gray = Image.fromarray(pixels[2, ..., 0])
    given = [pixels[0], encoded(pixels[1]), gray, bytearray(encoded(pixels[3])), pixels[4, ..., 1]]
    with open_images(item for item in given) as source:
        images = contents(source)
        assert isinstance(source.content(1), bytes)
    expected = [pixels[0], pixels[1], pixels[2, ..., :1], pixels[3], pixels[4, ..., 1:2]]
    for image, right in zip(images, expected, strict=True):
        assert np.array_equal(image, np.broadcast_to(right, (8, 8, 3)))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (3, "got int"),
        (None, "got NoneType"),
        ((3, "image"), "got int"),
        ([], "got an empty list"),
        ([[1, 2], [3, 4]], "got a list of lists"),
        ({"label": 3}, "a dictionary with one of image, images, .* got one with label"),
        ("a.png", "a.png cannot be read: no such file"),
    ],
)
def test_an_iterable_of_other_things_is_refused_by_place_and_type(item, reason, pixels):
    with pytest.raises(InputError, match=f"item 1 of the iterable: .*{reason}"):
        open_images([pixels[0], item])


def test_an_iterable_that_gives_nothing_is_refused():
    with pytest.raises(InputError, match="it was empty"):
        open_images(iter([]))


def test_what_an_iterable_raises_is_raised(pixels):
    def failing():
        yield pixels[0]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        open_images(failing())


def test_empty_bytes_in_an_iterable_are_a_broken_image_not_a_crash():
    with open_images([b"", b""]) as source, pytest.raises(InputError, match="the file is empty"):
        decode(source.content(0), name="x")


def test_version_3_headers_of_npy_are_refused_cleanly(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array(header, np.zeros((2, 2, 2, 3), np.uint8), version=(3, 0))
    (tmp_path / "a.npy").write_bytes(header.getvalue())
    with pytest.raises(InputError, match=r"a\.npy: not a \.npy array"):
        open_images(tmp_path / "a.npy")
