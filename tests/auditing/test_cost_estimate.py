"""What an audit announces before it works: images, time, and room in the cache."""

import numpy as np
import pytest

from genmem.auditing.cost_estimate import estimate_extraction
from genmem.features import load_backbone
from genmem.images import IDENTITY, open_images


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (300, 20, 24, 3), np.uint8)


@pytest.mark.parametrize(("side", "room"), [(16, ""), (512, ", 0.9 GB in the cache")])
def test_room_in_the_cache_is_announced_where_it_is_a_lot(images, side, room, monkeypatch):
    monkeypatch.setattr("genmem.auditing.cost_estimate.images_per_second", lambda *_, most: 100.0)
    with open_images(images) as source:
        sentence = estimate_extraction(
            load_backbone(f"pixels@{side}"), {"train": source}, (IDENTITY,)
        )
    assert sentence == f"pixels@{side}: 300 images to embed, about 3.0 s{room}"
