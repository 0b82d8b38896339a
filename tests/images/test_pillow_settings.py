import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin

from genmem.errors import InputError
from genmem.features import extract, load_backbone
from genmem.images import decode, open_images

COLOR = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
SETTINGS = [
    (ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    (Image, "MAX_IMAGE_PIXELS", 1),
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_ALWAYS),
    (PngImagePlugin, "MAX_TEXT_CHUNK", 1),
    (PngImagePlugin, "MAX_TEXT_MEMORY", 1),
    (TiffImagePlugin, "READ_LIBTIFF", True),
]


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_with_text():
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "a cat " * 100, zip=True)
    return saved(Image.fromarray(COLOR), "PNG", pnginfo=text)


def png_with_invalid_animation():
    """A PNG whose animation has no frames, at which Pillow warns."""
    content = saved(Image.fromarray(COLOR), "PNG")
    data = b"acTL" + struct.pack(">II", 0, 0)
    chunk = struct.pack(">I", 8) + data + struct.pack(">I", zlib.crc32(data))
    return content[:33] + chunk + content[33:]


def transparent_gif():
    palette = Image.fromarray(COLOR).quantize(16)
    return saved(palette, "GIF", transparency=3)


IMAGES = {
    "jpeg": saved(Image.fromarray(COLOR), "JPEG"),
    "png": png_with_text(),
    "gif": transparent_gif(),
    "tiff": saved(Image.fromarray(COLOR), "TIFF"),
    "webp": saved(Image.fromarray(COLOR), "WEBP"),
}


@pytest.mark.parametrize(("module", "name", "value"), SETTINGS)
def test_what_decodes_does_not_depend_on_a_setting_of_pillow(module, name, value, monkeypatch):
    truncated = {kind: content[: len(content) * 2 // 3] for kind, content in IMAGES.items()}
    expected = {kind: decode(content, name="x") for kind, content in IMAGES.items()}
    monkeypatch.setattr(module, name, value)
    for kind, content in IMAGES.items():
        assert np.array_equal(decode(content, name="x"), expected[kind])
        with pytest.raises(InputError, match="x: cannot be decoded"):
            decode(truncated[kind], name="x")
    assert getattr(module, name) is value


def test_truncated_images_are_no_features_in_a_program_that_loads_them(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    for number in range(3):
        content = IMAGES["jpeg"]
        content = content[:-200] if number == 1 else content
        (tmp_path / "images" / f"{number}.jpg").write_bytes(content)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    pixels = load_backbone("pixels")
    with open_images(tmp_path / "images") as source:
        with pytest.raises(InputError, match=r"1\.jpg in .* truncated"):
            extract(source, extractor=pixels, cache=tmp_path)
        skipped = extract(source, extractor=pixels, cache=tmp_path, skip_broken=True)
    assert skipped.skipped == ("1.jpg",)
    expected = decode(IMAGES["jpeg"], name="x").reshape(-1)
    assert np.array_equal(skipped.array, [expected, expected])


def test_truncated_pillow_images_are_refused_in_one_line(monkeypatch):
    for value in (False, True):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", value)
        image = Image.open(io.BytesIO(IMAGES["jpeg"][:-200]))
        with pytest.raises(InputError, match=r"item 0 of the iterable: cannot be decoded.*trunc"):
            open_images([image])


def test_a_pillow_image_that_is_given_keeps_its_transparency():
    image = Image.fromarray(COLOR).quantize(16)
    image.info["transparency"] = 3
    open_images([image]).close()
    assert image.info["transparency"] == 3


def test_settings_are_restored_after_many_threads(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    results = []

    def work():
        for _ in range(50):
            with pytest.raises(InputError):
                decode(IMAGES["jpeg"][:-200], name="x")
            results.append(decode(IMAGES["jpeg"], name="x").sum())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 200
    assert len(set(results)) == 1
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("action", ["ignore", "error"])
def test_a_filter_that_makes_errors_of_warnings_changes_nothing(action):
    content = png_with_invalid_animation()
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        assert np.array_equal(decode(content, name="x"), COLOR)
