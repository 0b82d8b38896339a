"""Statistics of rejection against the distances of the definition."""

import gc

import pytest
import torch

from .factories import Projection, make, slow_distances, threshold


def test_statistics_are_those_of_the_images_judged(train, near):
    slow = slow_distances(near, train, Projection())
    tau = threshold(slow)
    rejection = make(train, tau)
    rejection(near[:10])
    rejection(near[10:])
    found = rejection.pop_statistics()
    assert found.images == 30
    assert found.acceptance == pytest.approx((slow > tau).mean())
    assert found.distance_mean == pytest.approx(slow.mean(), abs=1e-5)
    assert found.distance_lowest == pytest.approx(slow.min(), abs=1e-5)
    assert found.to_dict()["tau"] == tau
    assert rejection.pop_statistics().acceptance is None


def test_statistics_that_nobody_asks_for_take_no_memory(train, near):
    rejection = make(train, 0.1)

    def tensors():
        gc.collect()
        return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())

    rejection(near)
    before = tensors()
    for _ in range(20):
        rejection(near)
    assert tensors() == before


def test_statistics_of_several_processes_are_those_of_all_their_images(train, near):
    slow = slow_distances(near, train, Projection())
    tau = threshold(slow)
    here, there = make(train, tau), make(train, tau)
    here(near[:10])
    there(near[10:])
    rows = []
    there.pop_statistics(lambda row: rows.append(row) or row)
    found = here.pop_statistics(lambda row: torch.cat([row, *rows]))
    assert found.images == 30
    assert found.acceptance == pytest.approx((slow > tau).mean())
    assert found.distance_mean == pytest.approx(slow.mean(), abs=1e-5)
    assert found.distance_lowest == pytest.approx(slow.min(), abs=1e-5)
