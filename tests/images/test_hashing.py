import numpy as np
import pytest

from genmem.images import hash_images, open_images


def test_it_is_a_hash_of_contents_in_order_and_of_nothing_else(files, build_folder, build_zip):
    renamed = dict(
        zip([f"{i}.jpg" for i in range(6)], [files[n] for n in sorted(files)], strict=True)
    )
    assert (
        hash_images(open_images(build_folder(files))).hexdigest
        == hash_images(open_images(build_folder(renamed, "renamed"))).hexdigest
    )
    changed = renamed | {"3.jpg": renamed["3.jpg"] + b"\0"}
    swapped = renamed | {"3.jpg": renamed["4.jpg"], "4.jpg": renamed["3.jpg"]}
    fewer = {name: renamed[name] for name in list(renamed)[:5]}
    variants = [renamed, changed, swapped, fewer]
    paths = [build_folder(files, f"variant{i}") for i, files in enumerate(variants)]
    assert len({hash_images(open_images(path)).hexdigest for path in paths}) == 4


def test_equal_images_have_equal_rows(pixels):
    rows = hash_images(open_images(pixels[[0, 1, 0]])).per_image
    assert rows.shape == (3, 16)
    assert rows.dtype == np.uint8
    assert np.array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])


def test_the_shape_of_pixels_counts():
    flat = np.zeros((1, 4, 16, 3), np.uint8)
    digests = {
        hash_images(open_images(flat.reshape(shape))).hexdigest
        for shape in [(1, 4, 16, 3), (1, 16, 4, 3), (1, 8, 8, 3), (1, 12, 16), (1, 12, 16, 1)]
    }
    assert len(digests) == 5


def test_an_unreadable_entry_does_not_stop_it(files, build_folder):
    folder = build_folder(files | {"notes.md": b"hello"})
    rows = hash_images(open_images(folder)).per_image
    assert (rows == 0).all(axis=1).tolist() == [False] * 6 + [True]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_progress_is_told_up_to_the_end(count):
    images = np.arange(count * 4, dtype=np.uint32).view(np.uint8).reshape(count, 4, 4, 1)
    sidecar = []
    result = hash_images(open_images(images), progress=lambda *args: sidecar.append(args))
    assert sidecar[-1] == ("reading images", count, count)
    assert [done for _, done, _ in sidecar] == sorted({done for _, done, _ in sidecar})
    assert len(np.unique(result.per_image, axis=0)) == count
