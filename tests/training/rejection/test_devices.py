"""Searches of rejection on a device, which is emulated, and in programs that change precision."""

import numpy as np
import pytest
import torch
from torch import nn

from genmem.training.rejection.embedding import embed
from genmem.training.rejection.search import ExactSearch, PrunedSearch

from ...emulated_devices import EmulatedDevice, EmulatedTf32


def unit_rows(count, seed):
    rows = torch.randn(count, 40, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(rows)


ROWS, QUERIES = unit_rows(300, 0), unit_rows(60, 1)
LABELS, QUERY_LABELS = torch.arange(300) % 7, torch.arange(60) % 7

SEARCHES = {
    "exact": lambda: ExactSearch(ROWS),
    "by class": lambda: ExactSearch(ROWS, labels=LABELS),
    "pruned": lambda: PrunedSearch(ROWS, head=8),
}


def distances(kind, queries=QUERIES, labels=QUERY_LABELS, search=None):
    search = search or SEARCHES[kind]()
    labels = labels if kind == "by class" else None
    return search.distances(queries, within=0.5, labels=labels)


@pytest.mark.parametrize("kind", SEARCHES)
def test_distances_do_not_depend_on_the_autocast_of_the_training_loop(kind):
    expected = distances(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(distances(kind), expected)


@pytest.mark.parametrize("kind", SEARCHES)
def test_distances_do_not_depend_on_tf32(kind):
    expected = distances(kind)
    with EmulatedTf32() as products:
        assert torch.equal(distances(kind), expected)
    assert set(products.products) == {"ieee"}


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_distances_on_a_device_are_those_of_the_cpu(device, kind):
    expected = distances(kind)
    with EmulatedDevice(device) as emulated:
        search = SEARCHES[kind]()
        search.to(emulated.device)
        result = distances(kind, emulated.put(QUERIES), emulated.put(QUERY_LABELS), search)
        assert result.device == emulated.device
    assert torch.equal(torch.as_tensor(result).cpu(), expected)
    assert emulated.waits.total() <= 5


def test_features_do_not_depend_on_the_programs_autocast():
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(48, 5)

        def forward(self, images):
            return self.layer(images.flatten(1).float())

    torch.manual_seed(0)
    module = Linear()
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (6, 3, 4, 4), dtype=np.uint8))
    expected = embed(module, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(embed(module, images), expected)
    assert not torch.equal(embed(module, images, half=True), expected)
