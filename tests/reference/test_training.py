"""What trains on pixels takes them from a reference whose pictures are whole."""

import numpy as np
import pytest

from genmem import build_reference
from genmem.errors import InputError
from genmem.training.common.dataset import load_shared_images, load_training_images
from genmem.training.emm.dataset import inspect_source
from genmem.training.rejection.threshold import as_images


def test_small_images_are_in_the_reference_pixel_by_pixel(tmp_path, images, monkeypatch):
    monkeypatch.setattr("genmem.reference.contents.SHARD_ROWS", 25)
    reference = build_reference(train=images["train"], out=tmp_path / "r", backbone="pixels@8")
    assert reference.manifest.train.shards == (25, 25, 10)
    for source in (reference, reference.folder, str(reference.folder)):
        stored, plain = (
            load_shared_images(one, size=8, limit=30) for one in (source, images["train"])
        )
        assert (stored.digest, stored.ids, stored.classes) == (
            plain.digest,
            plain.ids,
            plain.classes,
        )
    assert load_training_images(reference).digest == load_training_images(images["train"]).digest
    assert inspect_source(reference).classes == ("a", "b")
    np.testing.assert_array_equal(as_images(reference), as_images(images["train"]))


def test_smaller_pictures_and_none_are_refused(tmp_path, images, features):
    large = np.random.default_rng(0).integers(0, 256, (5, 130, 8, 3), dtype=np.uint8)
    settings = {"out": tmp_path / "r", "backbone": "pixels@8"}
    with pytest.raises(InputError, match="smaller pictures of 5 images of more than 128 pixels"):
        load_training_images(build_reference(train=large, **settings))
    with pytest.raises(InputError, match="a reference with no pictures of its images"):
        load_training_images(build_reference(train=images["train"], images=False, **settings))
    with pytest.raises(InputError, match="a reference with no pictures of its images"):
        load_training_images(build_reference(train=features["train"], out=tmp_path / "r"))
