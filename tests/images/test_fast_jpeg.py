"""JPEGs decoded by TurboJPEG have the bits of Pillow, or are left to Pillow."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from genmem.errors import InputError
from genmem.images import decode
from genmem.images.fast_jpeg import decode_jpeg

SIZES = [(64, 48), (61, 47), (17, 33), (8, 8), (2, 3), (1, 1), (3, 40), (40, 3)]


def picture(width, height, seed=0):
    """Smooth colors with sharp, colored edges, where chroma upsampling shows."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    smooth = np.array(noise.filter(ImageFilter.GaussianBlur(2)))
    smooth[height // 3 :, width // 3 :] = (255, 0, 30)
    return smooth


def saved(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def pillow(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def fast(content):
    return decode_jpeg(content, JpegImageFile(io.BytesIO(content)))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [5, 50, 90, 100])
def test_files_of_pillow_have_the_bits_of_pillow(quality, subsampling, progressive):
    options = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
    for width, height in SIZES:
        content = saved(picture(width, height), **options)
        pixels = fast(content)
        assert np.array_equal(pixels, pillow(content))
        assert np.array_equal(pixels, decode(content, name="x"))


@pytest.mark.parametrize("subsampling", ["444", "422", "440", "420", "411", "Gray"])
@pytest.mark.parametrize("quality", [30, 95])
def test_every_kind_of_chroma_subsampling_has_the_bits_of_pillow(quality, subsampling):
    for width, height in SIZES:
        pixels, colors = picture(width, height), "RGB"
        if subsampling == "Gray":
            pixels, colors = np.ascontiguousarray(pixels[..., :1]), "GRAY"
        content = simplejpeg.encode_jpeg(
            pixels, quality=quality, colorspace=colors, colorsubsampling=subsampling
        )
        assert np.array_equal(fast(content), pillow(content))


@pytest.mark.parametrize(
    "options", [{"keep_rgb": True}, {"restart_marker_blocks": 3}, {"optimize": True}]
)
def test_rarer_kinds_have_the_bits_of_pillow(options):
    content = saved(picture(61, 47), **options)
    assert np.array_equal(fast(content), pillow(content))


def test_photographs_have_the_bits_of_pillow():
    root = Path(__file__).parents[2]
    path = root / os.environ.get("GENMEM_TEST_DATA", "../shared/data") / "photographs.zip"
    if not path.is_file():
        pytest.skip("photographs.zip is not in $GENMEM_TEST_DATA (default ../shared/data)")
    with zipfile.ZipFile(path) as archive:
        contents = [archive.read(name) for name in archive.namelist()[::40] if name.endswith("jpg")]
    assert contents
    for content in contents:
        assert np.array_equal(fast(content), pillow(content))


def test_cmyk_and_ycck_are_left_to_pillow():
    content = io.BytesIO()
    Image.fromarray(picture(16, 16)).convert("CMYK").save(content, "JPEG")
    assert fast(content.getvalue()) is None
    assert np.array_equal(decode(content.getvalue(), name="x"), pillow(content.getvalue()))


def test_orientation_and_profiles_are_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(picture(20, 12), exif=exif, icc_profile=b"no profile")
    assert np.array_equal(fast(content), pillow(content))
    assert fast(content).shape == (12, 20, 3)


def test_the_pixels_are_new_and_writable():
    pixels = fast(saved(picture(16, 16)))
    assert pixels.flags.owndata
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_file_is_left_to_pillow_which_refuses_it(progressive):
    content = saved(picture(320, 240), progressive=progressive, quality=95)
    for kept in (len(content) - 2, len(content) // 2, len(content) * 3 // 4):
        assert fast(content[:kept]) is None
        with pytest.raises(InputError, match=r"^x: cannot be decoded: "):
            decode(content[:kept], name="x")


@settings(max_examples=300, deadline=None)
@given(
    progressive=st.booleans(),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_file_is_decoded_as_pillow_does_or_left_to_it(progressive, changes):
    content = bytearray(saved(picture(24, 17), progressive=progressive))
    for part, value in changes:
        content[int(part * len(content))] = value
    try:
        header = JpegImageFile(io.BytesIO(bytes(content)))
    except Exception:  # Pillow's reader raises almost anything, and `decode` ends there
        return
    if header.width * header.height > 2**20:
        return
    pixels = decode_jpeg(bytes(content), header)
    if pixels is not None:
        assert np.array_equal(pixels, pillow(bytes(content)))
