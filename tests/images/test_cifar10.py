"""Real images: CIFAR-10 as JPEGs in a zip."""

import io
import zipfile

import numpy as np
from PIL import Image

from genmem.images import decode, hash_images, open_images, read_batches


def test_its_index_digest_and_pixels_are_right(cifar10):
    with (
        open_images(cifar10 / "test.zip") as source,
        zipfile.ZipFile(cifar10 / "test.zip") as archive,
    ):
        assert len(source) == 10_000
        names = sorted(archive.namelist())
        assert [source.id(i) for i in range(10_000)] == names
        assert {source.class_name(i) for i in range(0, 10_000, 100)} == {
            name.split("/")[0] for name in names
        }
        assert len(hash_images(source).hexdigest) == 32
        for position in range(0, 10_000, 97):
            content = archive.read(names[position])
            assert source.content(position) == content
            expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            assert np.array_equal(decode(content, name="x"), expected)


def test_all_of_it_is_read_in_order_whatever_the_workers(cifar10):
    def first_row(pixels):
        return pixels[0]

    with open_images(cifar10 / "test.zip") as source:
        runs = [
            np.concatenate(
                [
                    batch.array
                    for batch in read_batches(
                        source, transform=first_row, batch_size=256, workers=workers, start=8_000
                    )
                ]
            )
            for workers in (1, 4)
        ]
        assert runs[0].shape == (2_000, 32, 3)
        assert np.array_equal(*runs)
        last = decode(source.content(9_999), name="x")
    assert np.array_equal(runs[0][-1], last[0])
