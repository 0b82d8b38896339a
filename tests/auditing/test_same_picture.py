"""The same picture, changed a little, is told from a picture that is merely alike."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from genmem.auditing import audit
from genmem.auditing.same_picture import (
    LEAST_AGREEMENT,
    LEAST_AGREEMENT_SMALL,
    agreement,
    picture_details,
)


def scene(seed, width=160, height=120):
    """Rectangles and ellipses on a gradient, with texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x + rng.integers(99), y + rng.integers(99), x + y], axis=2) % 256.0
    for _ in range(12):
        left, top, size = rng.integers(width), rng.integers(height), rng.integers(8, 50)
        pixels[top : top + size, left : left + size] = rng.integers(0, 256, 3)
        inside = (x - rng.integers(width)) ** 2 + (y - rng.integers(height)) ** 2 < size**2 / 4
        pixels[inside] = rng.integers(0, 256, 3)
    pixels += rng.normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def crop(image, zoom):
    width, height = image.size
    left, top = width * (1 - zoom) / 2, height * (1 - zoom) / 2
    return image.resize(image.size, box=(left, top, width - left, height - top))


CHANGES = {
    "jpeg 20": lambda image: jpeg(image, 20),
    "half the size": lambda image: image.resize((80, 60)),
    "squeezed": lambda image: image.resize((160, 70)),
    "mirrored": ImageOps.mirror,
    "gray": lambda image: image.convert("L").convert("RGB"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(0.8)),
    "cropped to 95 %": lambda image: crop(image, 0.95),
    "cropped to 80 %": lambda image: crop(image, 0.8),
}


def agree(first, second, side=64):
    return agreement(*(picture_details(np.asarray(one), side) for one in (first, second)))


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_agrees_with_itself_after_a_small_change(change):
    for seed in range(3):
        image = scene(seed)
        changed = CHANGES[change](image)
        assert agree(image, changed) > 0.8
        assert agree(changed, image) == pytest.approx(agree(image, changed), abs=0.1)


def test_different_pictures_do_not_agree():
    scenes = [scene(seed) for seed in range(8)]
    values = [agree(a, b) for i, a in enumerate(scenes) for b in scenes[:i]]
    assert max(values) < 0.5


def test_a_picture_without_details_agrees_with_none():
    flat = Image.new("RGB", (160, 120), (90, 120, 200))
    assert agree(flat, flat) == 0
    assert agree(flat, scene(0)) == 0


def test_the_fast_correlation_is_the_formula():
    """Against a loop over shifts of the plain high-passed pictures, without zoom."""
    from scipy.ndimage import gaussian_filter

    def layer(image):
        gray = image.convert("L").resize((16, 16), Image.Resampling.BILINEAR)
        values = np.asarray(gray, np.float64)
        values = values - gaussian_filter(values, 2.0, mode="nearest")
        values -= values.mean()
        return values / np.linalg.norm(values)

    first, second = scene(1), scene(2)
    best = max(
        float((layer(first) * np.roll(other, (down, right), (0, 1))).sum())
        for other in (layer(second), layer(second)[:, ::-1])
        for down in range(-2, 3)
        for right in range(-2, 3)
    )
    assert agree(first, second, side=16) >= best - 1e-5
    assert agree(first, first, side=16) == pytest.approx(1, abs=1e-5)


def test_an_audit_calls_recompressed_pictures_the_same_and_alike_ones_similar(tmp_path):
    """Training images: scenes; one recompressed; and one whose colors another scene shares."""
    train = tmp_path / "train"
    train.mkdir()
    for seed in range(30):
        scene(seed).save(train / f"{seed:02d}.png")
    jpeg(scene(3), 60).save(train / "30.png")
    scene(4).save(train / "31.png")
    blurred = scene(5).filter(ImageFilter.GaussianBlur(25))
    other = scene(6).filter(ImageFilter.GaussianBlur(3))
    for name, texture in (("32", 0), ("33", 1)):
        noise = np.random.default_rng(texture).normal(0, 6, (120, 160, 3))
        Image.fromarray(np.clip(blurred + noise, 0, 255).astype(np.uint8)).save(
            train / f"{name}.png"
        )
    generated = np.stack([np.asarray(other)] * 2)
    with audit(generated=generated, train=train, backbone=["pixels@32"]) as result:
        (pairs,) = result.duplicates
        names = list(zip(pairs.first_ids, pairs.second_ids, strict=True))
        same = dict(zip(names, pairs.same.tolist(), strict=True))
        exact = dict(zip(names, pairs.exact.tolist(), strict=True))
    assert same[("30.png", "03.png")]
    assert not exact[("30.png", "03.png")]
    assert same[("31.png", "04.png")]
    assert exact[("31.png", "04.png")]
    assert not same[("33.png", "32.png")]


def test_photographs_are_told_apart_from_their_copies():
    root = Path(__file__).parents[2]
    path = root / os.environ.get("GENMEM_TEST_DATA", "../shared/data") / "photographs.zip"
    if not path.is_file():
        pytest.skip("photographs.zip is not in $GENMEM_TEST_DATA (default ../shared/data)")
    with zipfile.ZipFile(path) as archive:
        folders = {name.split("/")[0]: name for name in sorted(archive.namelist()) if "/" in name}
        names = [name for name in folders.values() if name.endswith(".jpg")]
        images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    assert len(images) > 30
    details = [picture_details(np.asarray(image), 64) for image in images]
    different = [agreement(a, b) for i, a in enumerate(details) for b in details[:i]]
    assert max(different) < LEAST_AGREEMENT_SMALL
    for change in ("jpeg 20", "mirrored", "cropped to 95 %", "cropped to 80 %"):
        changed = (picture_details(np.asarray(CHANGES[change](image)), 64) for image in images)
        values = [agreement(*pair) for pair in zip(details, changed, strict=True)]
        assert np.mean(np.array(values) > LEAST_AGREEMENT) > 0.9
