"""Pictures of images: small ones to the pixel, large ones reduced, the whole one behind them."""

import io

import numpy as np
import pytest
from PIL import Image

from genmem.auditing import audit
from genmem.auditing.thumbnails import FULL_SIDE, THUMBNAIL_SIDE, encode_picture
from genmem.report.audit.page import AUDIT, write_audit


def smooth(width, height, seed=0):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_small_images_are_stored_to_the_pixel():
    image = smooth(64, 40)
    for size in (THUMBNAIL_SIDE, FULL_SIDE):
        assert np.array_equal(opened(encode_picture(image.copy(), size)), image)


@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (4000, 30)])
def test_large_images_are_reduced_and_keep_their_shape(width, height):
    image = smooth(width, height)
    picture = opened(encode_picture(image.copy(), THUMBNAIL_SIDE))
    assert picture.format == "JPEG"
    assert max(picture.size) == THUMBNAIL_SIDE
    assert picture.width / picture.height == pytest.approx(width / height, rel=0.3)
    whole = opened(encode_picture(image.copy(), FULL_SIDE))
    assert whole.size == (width, height) if width <= FULL_SIDE else max(whole.size) == FULL_SIDE


def test_an_image_that_is_not_reduced_has_the_same_bytes_at_any_size():
    image = smooth(320, 100)
    assert encode_picture(image.copy(), THUMBNAIL_SIDE) == encode_picture(image.copy(), FULL_SIDE)


def test_a_page_has_thumbnails_and_the_full_pictures_of_large_photographs_only(tmp_path):
    folders = {role: tmp_path / role for role in ("generated", "train", "test")}
    for seed, folder in enumerate(folders.values()):
        folder.mkdir()
        for number in range(6):
            side = 640 if number % 2 else 100
            smooth(side, side * 3 // 4, 10 * seed + number).save(folder / f"{number}.png")
    sources = {role: str(folder) for role, folder in folders.items()}
    with audit(**sources, backbone=["pixels@8"]) as result:
        write_audit(result, tmp_path / "out")
    pictures = tmp_path / "out" / "pictures"
    thumbnails = sorted((pictures / "generated").glob("*.jpg"))
    assert [path.name for path in thumbnails] == [f"{row:06d}.jpg" for row in range(6)]
    assert {opened(path.read_bytes()).size for path in thumbnails} == {(100, 75), (320, 240)}
    full = sorted((pictures / "generated" / "full").iterdir())
    assert [path.name for path in full] == [f"{row:06d}.jpg" for row in (1, 3, 5)]
    assert {opened(path.read_bytes()).size for path in full} == {(640, 480)}
    assert '"full":"full"' in (tmp_path / "out" / AUDIT.page).read_text()
