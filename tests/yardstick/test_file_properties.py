import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.stats import ks_2samp

from genmem.images import ArraySource, open_images
from genmem.yardstick.file_properties import compare_files, largest_gap, read_properties


def scenes(seed, count=30, size=(96, 72)):
    """Smooth pictures with some grain, each with colors of its own."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 2, (size[1], size[0], 3))
        images.append(Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)))
    return images


def properties_of(folder, images, suffix, **options):
    folder.mkdir()
    for number, image in enumerate(images):
        image.save(folder / f"{number:03d}.{suffix}", **options)
    with open_images(folder) as source:
        return read_properties(source)


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path, quality):
    [image] = properties_of(tmp_path / "j", scenes(0, 1), "jpg", quality=quality, subsampling=0)
    assert (image.format, image.quality, image.subsampling) == ("JPEG", quality, "4:4:4")


def test_jpeg_beside_png_is_named_with_its_quality(tmp_path):
    train = properties_of(tmp_path / "train", scenes(0), "jpg", quality=20)
    test = properties_of(tmp_path / "test", scenes(1), "png")
    differences = compare_files(train, test)
    assert differences.differs
    assert differences.clauses[0] == (
        "training images are JPEG (quality about 20), held-out images PNG"
    )


def test_jpeg_that_was_saved_again_as_png_leaves_traces(tmp_path):
    def again(image):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=20)
        return Image.open(buffer).convert("RGB")

    train = properties_of(tmp_path / "train", map(again, scenes(0)), "png")
    test = properties_of(tmp_path / "test", scenes(1), "png")
    assert "training images bear traces of JPEG compression that held-out images lack" in (
        compare_files(train, test).clauses
    )


def test_high_quality_and_lossless_formats_are_hardly_a_difference(tmp_path):
    train = properties_of(tmp_path / "train", scenes(0), "jpg", quality=95, subsampling=0)
    test = properties_of(tmp_path / "test", scenes(1), "bmp")
    differences = compare_files(train, test)
    assert not differences.differs
    assert differences.minor[0] == (
        "training images are JPEG (quality about 95), held-out images BMP"
    )
    same = compare_files(properties_of(tmp_path / "png", scenes(2), "png"), test)
    assert same.clauses == same.minor == ()


def test_sizes_that_are_mixed_alike_are_no_difference_and_other_sizes_are(tmp_path):
    def mixed(seed, factor=1.0):
        rng = np.random.default_rng(seed)
        sizes = (factor * rng.uniform(60, 140, size=(30, 2))).astype(int)
        images = scenes(seed)
        return [image.resize(tuple(size)) for image, size in zip(images, sizes, strict=True)]

    train = properties_of(tmp_path / "train", mixed(0), "png")
    test = properties_of(tmp_path / "test", mixed(1), "png")
    assert not compare_files(train, test).differs
    large = compare_files(train, properties_of(tmp_path / "large", mixed(2, 2.0), "png"))
    assert any("pixels large" in clause for clause in large.clauses)


def test_smooth_images_beside_grainy_ones_and_gray_ones_are_named(tmp_path):
    train = properties_of(
        tmp_path / "train", [i.filter(ImageFilter.GaussianBlur(1)) for i in scenes(0)], "png"
    )
    test = properties_of(tmp_path / "test", scenes(1), "png")
    [noise] = compare_files(train, test).clauses
    assert noise.startswith("training images have a noise floor of about")
    gray = properties_of(tmp_path / "gray", [image.convert("L") for image in scenes(2)], "png")
    assert "training images are gray to 100 %, held-out images gray to 0 %" in (
        compare_files(gray, test).clauses
    )


def test_arrays_have_properties_and_few_images_say_nothing(tmp_path):
    pixels = np.stack([np.asarray(image) for image in scenes(0)])
    with ArraySource(pixels, name="array", where="train") as source:
        train = read_properties(source)
    assert {image.format for image in train} == {"pixels"}
    jpegs = properties_of(tmp_path / "few", scenes(1, 9), "jpg", quality=10)
    assert not compare_files(train, jpegs).differs


def test_broken_images_are_left_out(tmp_path):
    for number, image in enumerate(scenes(0, 3)):
        image.save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    with open_images(tmp_path) as source:
        assert len(read_properties(source)) == 3


def test_the_largest_gap_is_the_statistic_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(0)
    for first, second in (
        (rng.normal(size=50), rng.normal(0.5, size=70)),
        (rng.integers(0, 5, 40).astype(float), rng.integers(1, 6, 90).astype(float)),
        (np.zeros(3), np.ones(4)),
    ):
        expected = float(ks_2samp(first, second).statistic)
        assert largest_gap(first, second) == pytest.approx(expected, rel=1e-12)
