"""A replay of the training set has no advantage: FD's floor, and the ranking rule of MiFID."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genmem
from genmem.metrics.mifid import REPLAY, Standing, ranking, ranking_key, standing

TAU = 0.1


def sets(rows, dimension, decay=0, mean=0.0, seed=0):
    """Rows whose covariance has eigenvalues from 1 down to 10^(−2 · decay), turned at random."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    scales = np.logspace(0, -decay, dimension)
    return (rng.normal(size=(rows, dimension)) * scales) @ turn + mean


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "dimension", "decay", "mean"),
    [(30, 64, 0, 1), (300, 64, 0, 0), (300, 64, 8, 0), (300, 64, 12, 3), (2000, 8, 4, 0)],
)
def test_any_order_and_any_number_of_the_same_images_is_a_replay(
    rows, dimension, decay, mean, dtype
):
    rng = np.random.default_rng(1)
    train = sets(rows, dimension, decay, mean).astype(dtype)
    replays = {
        "permuted": train[rng.permutation(rows)],
        "twice": np.concatenate([train, train]),
        "each three times": np.repeat(train, 3, axis=0),
        "evaluated again": train * (1 + 1e-7 * rng.normal(size=train.shape)).astype(dtype),
    }
    for name, generated in replays.items():
        result = genmem.mifid(generated=generated, train=train, tau=TAU)
        assert result.parts["replay"], name
        assert result.parts["fd"] <= result.parts["fd_floor"], name
        assert any("means nothing" in note and REPLAY in note for note in result.notes)


def test_the_floor_is_far_below_honest_sets_and_a_tenth_of_a_per_mille_of_noise():
    train = sets(2000, 16, mean=2)
    rng = np.random.default_rng(2)
    honest = sets(2000, 16, mean=2, seed=3)
    result = genmem.mifid(generated=honest, train=train, tau=TAU)
    assert result.parts["fd"] > 1e4 * result.parts["fd_floor"]
    noisy = train + 1e-4 * rng.normal(size=train.shape)
    noisy = genmem.mifid(generated=noisy, train=train, tau=TAU)
    assert (noisy.parts["penalized"], noisy.parts["replay"]) == (True, False)
    # The same images under an FD of 0, but with s ≥ τ, cannot be: τ is not reached by copies.
    assert not genmem.mifid(generated=honest, train=train, tau=1e-9).parts["penalized"]


def test_the_published_number_is_unchanged():
    train, copies = sets(300, 16, mean=2), sets(300, 16, mean=2) + 1e-3
    result = genmem.mifid(generated=copies, train=train, tau=TAU)
    parts = result.parts
    assert result.value == parts["fd"] / (parts["memorization_distance"] + 1e-15)


def entries():
    """FD, s, floor and MiFID of honest sets and of the ways of copying, on 4,000 images."""
    rng = np.random.default_rng(4)
    train = np.abs(sets(4000, 8, mean=1))
    generated = {
        "honest": np.abs(rng.normal(1.3, 1.0, (4000, 8))),
        "worse": np.abs(rng.normal(2.5, 1.0, (4000, 8))),
        "noise 0.1": train + 0.1 * rng.normal(size=train.shape),
        "noise 0.001": train + 1e-3 * rng.normal(size=train.shape),
        "half": np.repeat(train[:2000], 2, axis=0) * 1.0000001,
        "replay": train[rng.permutation(4000)],
    }
    return {
        name: genmem.mifid(generated=rows, train=train, tau=0.01)
        for name, rows in generated.items()
    }


def test_the_published_score_lets_a_noisy_replay_win_and_the_ranking_does_not():
    results = entries()
    parts = {
        name: np.array([result.parts[name] for result in results.values()])
        for name in ("fd", "memorization_distance", "fd_floor")
    }
    score = np.array([result.value for result in results.values()])
    of_sets = standing(
        fd=parts["fd"],
        distance=parts["memorization_distance"],
        tau=0.01,
        floor=parts["fd_floor"],
    )
    published = [list(results)[row] for row in np.argsort(score)]
    assert {"replay", "noise 0.001"} & set(published[:2])  # why the rule is needed
    places = ranking(score=score, distance=parts["memorization_distance"], standing=of_sets)
    ranked = [list(results)[row] for row in np.argsort(places)]
    assert ranked == ["honest", "worse", "noise 0.1", "noise 0.001", "half", "replay"]
    assert [Standing(int(one)).label for one in of_sets[[0, 2, 5]]] == ["", "penalized", REPLAY]


numbers = st.tuples(
    st.one_of(st.sampled_from([0.0, 1e-12, 1.0, 2.0]), st.floats(0, 1e6)),
    st.one_of(st.sampled_from([0.0, 0.1, 0.2]), st.floats(0, 1)),
)


@given(st.lists(numbers, max_size=20), st.floats(0.01, 1))
@settings(deadline=None)
def test_ranks_of_arrays_are_those_of_the_keys_one_by_one(rows, tau):
    fd, distance = (
        (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        if rows
        else (np.empty(0), np.empty(0))
    )
    score = np.where(distance < tau, fd / (distance + 1e-15), fd)
    of_sets = standing(fd=fd, distance=distance, tau=tau, floor=1e-9)
    keys = [
        ranking_key(score=s, distance=d, standing=Standing(int(one)))
        for s, d, one in zip(score, distance, of_sets, strict=True)
    ]
    places = ranking(score=score, distance=distance, standing=of_sets)
    assert places.tolist() == [sorted(set(keys)).index(key) for key in keys]
    for key, far, s in zip(keys, distance, fd, strict=True):
        assert (key[0] > 0) == (far < tau)
        assert (key[0] == 2) == (far < tau and s <= 1e-9)


def test_what_has_no_score_has_no_place_and_an_unknown_floor_finds_only_exact_zeros():
    nan = float("nan")
    places = ranking(
        score=np.array([2.0, nan, 1.0]),
        distance=np.array([0.5, nan, 0.5]),
        standing=np.zeros(3, np.int8),
    )
    assert places[[0, 2]].tolist() == [1, 0]
    assert np.isnan(places[1])
    of_sets = standing(fd=[0.0, 1e-20, None], distance=[0.0, 0.0, None], tau=0.1, floor=None)
    assert of_sets.tolist() == [2, 1, 0]
