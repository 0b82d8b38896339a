import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genmem.errors import InputError
from genmem.images import decode

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
COLOR = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
GRAY_RGB = np.repeat(RAMP[..., None], 3, axis=2)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, bit_depth, color_type, rows):
    """A PNG written from the specification, for kinds that Pillow does not write."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_formats_give_their_pixels(kind):
    assert np.array_equal(decode(saved(Image.fromarray(COLOR), kind), name="x"), COLOR)


def test_webp_and_gif_are_read():
    assert np.array_equal(
        decode(saved(Image.fromarray(COLOR), "WEBP", lossless=True), name="x"), COLOR
    )
    assert np.array_equal(decode(saved(Image.fromarray(RAMP), "GIF"), name="x"), GRAY_RGB)


def test_a_jpeg_is_what_pillow_decodes():
    content = saved(Image.fromarray(COLOR), "JPEG")
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(decode(content, name="x"), expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_gray_is_repeated_in_three_channels(kind):
    assert np.array_equal(decode(saved(Image.fromarray(RAMP), kind), name="x"), GRAY_RGB)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_keeps_its_high_byte(kind):
    sixteen = RAMP.astype(np.uint16) * 256 + 255
    assert np.array_equal(decode(saved(Image.fromarray(sixteen), kind), name="x"), GRAY_RGB)


def test_16_bit_color_keeps_its_high_byte():
    rows = (COLOR.astype(">u2") * 256 + 255).astype(">u2")
    content = png(8, 8, 16, 2, [row.tobytes() for row in rows])
    assert np.array_equal(decode(content, name="x"), COLOR)


def test_black_and_white_become_0_and_255():
    bits = Image.fromarray(RAMP > 100)
    expected = np.repeat((RAMP > 100)[..., None] * np.uint8(255), 3, axis=2)
    assert bits.mode == "1"
    assert np.array_equal(decode(saved(bits, "PNG"), name="x"), expected)


def test_a_palette_is_looked_up():
    image = Image.fromarray(RAMP // 64, mode=None).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    expected = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]], np.uint8)
    assert np.array_equal(decode(saved(image, "PNG"), name="x"), expected[RAMP // 64])
    transparent = saved(image, "PNG", transparency=bytes([0, 100, 200, 255]))
    assert np.array_equal(decode(transparent, name="x"), expected[RAMP // 64])


def test_alpha_is_dropped_and_not_composited():
    rgba = np.concatenate([COLOR, RAMP[..., None]], axis=2)
    assert np.array_equal(decode(saved(Image.fromarray(rgba), "PNG"), name="x"), COLOR)
    gray_alpha = np.stack([RAMP, RAMP[::-1]], axis=2)
    assert np.array_equal(
        decode(saved(Image.fromarray(gray_alpha, "LA"), "PNG"), name="x"), GRAY_RGB
    )


def test_a_transparent_color_is_that_color():
    content = saved(Image.fromarray(COLOR), "PNG", transparency=tuple(map(int, COLOR[0, 0])))
    assert np.array_equal(decode(content, name="x"), COLOR)


def test_cmyk_is_converted_as_pillow_does():
    image = Image.fromarray(COLOR).convert("CMYK")
    for kind in ("TIFF", "JPEG"):
        content = saved(image, kind)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        assert np.array_equal(decode(content, name="x"), expected)


def test_exif_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(Image.fromarray(COLOR), "PNG", exif=exif)
    assert np.array_equal(decode(content, name="x"), COLOR)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (200, 10, 90)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode(content, name="x") == 200).all()


@pytest.mark.parametrize(
    ("shape", "expected"), [((8, 8), 1), ((8, 8, 1), 1), ((8, 8, 3), 3), ((8, 8, 4), 3)]
)
def test_raw_pixels_follow_the_same_rule(shape, expected):
    raw = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    pixels = decode(raw, name="x")
    assert pixels.shape == (8, 8, 3)
    assert np.array_equal(pixels[..., :expected], raw.reshape(8, 8, -1)[..., :expected])
    pixels[:] = 0  # a copy: the source is not changed
    assert raw.any()


def test_pixels_are_new_writable_and_contiguous():
    for content in (saved(Image.fromarray(COLOR), "JPEG"), saved(Image.fromarray(RAMP), "PNG")):
        pixels = decode(content, name="x")
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous
        assert pixels.dtype == np.uint8


@pytest.mark.parametrize(("dtype", "word"), [(np.float32, "floating-point"), (np.int32, "32-bit")])
def test_pixels_of_no_agreed_range_are_refused(dtype, word):
    content = saved(Image.fromarray(RAMP.astype(dtype)), "TIFF")
    with pytest.raises(
        InputError, match=f"x: has {word}.* pixels, whose value range is not defined"
    ):
        decode(content, name="x")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_a_truncated_image_is_named_in_the_error(kind):
    content = saved(Image.fromarray(np.tile(COLOR, (8, 8, 1))), kind)
    for kept in (len(content) // 2, len(content) // 5, 12, 2):
        with pytest.raises(InputError, match=r"^cat/1\.x: cannot be decoded: ") as caught:
            decode(content[:kept], name="cat/1.x")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b"hello", "not JPEG, PNG"), (b"%PDF-1.4", "not JPEG, PNG")],
)
def test_what_is_no_image_is_refused(content, reason):
    with pytest.raises(InputError, match=f"notes: cannot be decoded: {reason}"):
        decode(content, name="notes")


def test_a_decompression_bomb_is_refused_by_its_header():
    bomb = png(60_000, 60_000, 8, 2, [])
    with pytest.raises(InputError, match="x: is 60,000 × 60,000 pixels, expected between"):
        decode(bomb, name="x")
    huge = {
        "GIF": (6, struct.pack("<HH", 60_000, 60_000)),
        "BMP": (18, struct.pack("<II", 60_000, 60_000)),
        "PPM": (3, b"60000 60000 255\n"),
    }
    for kind, (offset, size) in huge.items():
        content = bytearray(saved(Image.fromarray(COLOR), kind))
        content[offset : offset + len(size)] = size
        with pytest.raises(InputError, match="x: is 60,000 × 60,000 pixels"):
            decode(bytes(content), name="x")
    content = saved(Image.fromarray(COLOR), "JPEG")
    frame = content.index(b"\xff\xc0") + 5
    content = content[:frame] + struct.pack(">HH", 60_000, 60_000) + content[frame + 4 :]
    with pytest.raises(InputError, match="x: is 60,000 × 60,000 pixels"):
        decode(content, name="x")
    with pytest.raises(InputError, match="decompression bomb"):
        decode(np.broadcast_to(np.uint8(0), (2**14, 2**14, 3)), name="x")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damage_to_an_image_is_a_traceback(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]))
    content = bytearray(saved(Image.fromarray(COLOR), kind))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        assert decode(bytes(content), name="x").ndim == 3


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["PNG", "JPEG"]), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_cut_image_is_refused_or_complete(kind, part, progressive):
    options = {"progressive": progressive} if kind == "JPEG" else {}
    content = saved(Image.fromarray(np.tile(COLOR, (4, 4, 1))), kind, **options)
    try:
        pixels = decode(content[: int(part * len(content))], name="x")
    except InputError:
        return
    assert np.array_equal(pixels, decode(content, name="x"))
