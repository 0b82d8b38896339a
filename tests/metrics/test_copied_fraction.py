"""The copied fraction: its numbers from the formula, and its interval by simulation."""

import math
import re
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom, binom

from genmem.errors import InputError
from genmem.metrics import copied_fraction as room
from genmem.metrics.copied_fraction import copied_fraction, copied_fraction_from
from genmem.neighbors import nearest


def found(generated, test):
    return copied_fraction_from(
        generated=np.asarray(generated, dtype=float),
        test=np.asarray(test, dtype=float),
        train_rows=9,
    )


QUANTILES = (np.arange(4_000) + 0.5) / 4_000


def slow_at_least(below, n, rank, m, share=0.0, quantiles=QUANTILES):
    """P(K ≥ below), as an average over many held-out sets."""
    honest = np.minimum(1, room.MARGIN * beta.ppf(quantiles, rank, m + 1 - rank))
    return binom.sf(below - 1, n, share + (1 - share) * honest).mean()


def slow_interval(below, n, rank, m):
    """The shares that neither test rejects; for the upper end no honest image lies below."""
    shares = np.linspace(0, 1, 401)
    low = next(s for s in shares if slow_at_least(below, n, rank, m, s) >= 0.025)
    high = next((s for s in shares[::-1] if binom.cdf(below, n, s) >= 0.025), 1.0)
    return low, high


@pytest.mark.parametrize(
    ("below", "rank", "m"), [(9, 1, 30), (15, 2, 50), (3, 1, 200), (30, 1, 40)]
)
def test_the_interval_holds_the_shares_that_slow_tests_do_not_reject(below, rank, m):
    n, step = 30, 1 / 400
    low, high, _ = room._interval(below, n, rank, m)
    slow_low, slow_high = slow_interval(below, n, rank, m)
    assert slow_low - step <= low <= slow_low
    assert slow_high <= high <= slow_high + step


def test_the_estimate_the_threshold_and_the_p_value_equal_the_formula():
    rng = np.random.default_rng(0)
    test = rng.random(2_999)
    generated = np.concatenate([rng.random(480), np.full(20, 1e-4)])
    result = found(generated, test)
    rank = 6  # 0.002 · 3,000
    threshold = np.sort(test)[rank - 1]
    below = int((generated < threshold).sum())
    q = rank / 3_000
    assert result.parts["threshold"] == threshold
    assert result.parts["held_out_rank"] == rank
    assert result.parts["below"] == below
    assert result.parts["expected_honest"] == pytest.approx(500 * q)
    assert result.value == pytest.approx((below / 500 - q) / (1 - q))
    assert result.parts["p_value"] < 1e-10
    assert result.n == {"generated": 500, "train": 9, "test": 2_999}
    assert "beta-binomial" in result.interval.method


@pytest.mark.parametrize(
    ("k", "n", "rank", "m"), [(3, 50, 1, 60), (1, 7, 2, 9), (40, 50, 3, 20), (7, 2_000, 2, 999)]
)
def test_the_p_value_without_a_margin_is_the_tail_of_the_beta_binomial(monkeypatch, k, n, rank, m):
    monkeypatch.setattr(room, "MARGIN", 1.0)
    expected = sum(betabinom.pmf(i, n, rank, m + 1 - rank) for i in range(k, n + 1))
    assert room._p_value(k, n, rank, m) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("k", "n", "rank", "m", "share"),
    [
        (120, 10_000, 20, 10_000, 0.008),
        (40, 100_000, 1, 50, 1e-5),
        (9, 100, 4, 100_000, 0.03),
        (3, 50, 1, 60, 0.0),
    ],
)
def test_the_tail_with_copies_equals_an_average_over_many_held_out_sets(k, n, rank, m, share):
    quantiles = (np.arange(100_000) + 0.5) / 100_000
    expected = slow_at_least(k, n, rank, m, share, quantiles)
    assert room._at_least(k, n, rank, m, share) == pytest.approx(expected, rel=1e-4)


DRAWS = 1_000


def coverage(share, n, m, seed):
    """Of `DRAWS` pairs of sets: how often the interval holds the share, and how often 0."""
    rng = np.random.default_rng(seed)
    holds = zero = 0
    for _ in range(DRAWS):
        generated = rng.random(n)
        generated[rng.random(n) < share] = 0.0
        interval = found(generated, rng.random(m)).interval
        holds += interval.low <= share <= interval.high
        zero += interval.low == 0
    return holds / DRAWS, zero / DRAWS


# Three standard errors of a share of 1,000 draws at 0.95.
SLACK = 3 * math.sqrt(0.95 * 0.05 / DRAWS)


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.3])
@pytest.mark.parametrize(("n", "m"), [(5_000, 5_000), (2_000, 500)])
def test_the_interval_holds_the_share_of_copies_in_95_of_100_draws(share, n, m):
    holds, zero = coverage(share, n, m, seed=int(1e6 * share) + n + m)
    assert holds >= 0.95 - SLACK
    if share == 0:
        assert zero >= 0.95
    if share >= 0.02 and m == 5_000:
        assert zero == 0


def test_one_per_cent_of_copies_among_five_thousand_images_is_seen():
    assert coverage(0.01, 5_000, 5_000, seed=1)[1] <= 0.01


def test_the_upper_end_holds_where_honest_images_are_farther_off_than_held_out_ones():
    rng = np.random.default_rng(2)
    holds = 0
    for _ in range(DRAWS):
        generated = 0.5 + rng.random(3_000)
        generated[rng.random(3_000) < 0.004] = 0.0
        interval = found(generated, rng.random(5_000)).interval
        holds += interval.low <= 0.004 <= interval.high
    assert holds / DRAWS >= 0.95 - SLACK


@pytest.mark.parametrize("repeated", [0.001, 0.003, 0.05])
@pytest.mark.parametrize(("n", "m"), [(4_000, 4_000), (3_000, 300)])
def test_exact_duplicates_in_both_sets_do_not_accuse_an_honest_one(repeated, n, m):
    """A data set that repeats itself: so many of its images are at distance 0 from a training one,
    or, by rounding, near 0."""
    rng = np.random.default_rng(3)
    accused = 0
    for _ in range(DRAWS):
        generated, test = (
            np.where(
                rng.random(size) < repeated, rng.choice([0.0, 1e-16, 3e-14], size), rng.random(size)
            )
            for size in (n, m)
        )
        accused += found(generated, test).interval.low > 0
    assert accused / DRAWS <= 0.05


def test_copies_are_seen_beside_exact_duplicates_in_the_held_out_set():
    rng = np.random.default_rng(4)
    test = rng.random(5_000)
    test[:100] = 0.0
    generated = rng.random(5_000)
    generated[:400] = 0.0
    result = found(generated, test)
    assert result.parts["held_out_rank"] == 101
    assert result.interval.low > 0.03
    assert result.value == pytest.approx(0.06, abs=0.005)


def test_ties_above_zero_are_taken_as_groups_too():
    test = np.concatenate([np.full(30, 0.1), np.linspace(0.2, 1, 970)])
    result = found(np.concatenate([np.full(30, 0.1), np.linspace(0.3, 1, 970)]), test)
    assert result.parts["held_out_rank"] == 31
    assert result.parts["below"] == 30
    assert result.interval.low == 0
    assert result.value == 0


@pytest.mark.parametrize("test", [[0.0, 0.0, 1e-14], [0.4, 0.4, 0.4]])
def test_held_out_distances_without_a_threshold_give_no_number(test):
    result = found([0.1, 0.5, 0.0], test)
    if test[0] == 0:
        assert math.isnan(result.value)
        assert result.interval is None
        assert "no threshold" in result.notes[0]
    else:
        assert result.parts["threshold"] == 0.4


sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@settings(deadline=None, max_examples=80)
@given(size=sizes, seed=st.integers(0, 10_000), moved=st.integers(0, 60))
def test_ends_are_in_order_and_grow_with_the_number_of_close_images(size, seed, moved):
    rng = np.random.default_rng(seed)
    n, m = size
    generated, test = rng.random(n), rng.random(m)
    closer = generated.copy()
    closer[:moved] = 0.0
    fewer, more = found(generated, test), found(closer, test)
    for result in (fewer, more):
        ends = result.interval
        assert 0 <= ends.low <= result.value + 1e-9
        assert result.value <= ends.high + 1e-9
        assert ends.high <= 1
    assert fewer.parts["below"] <= more.parts["below"]
    assert fewer.interval.low <= more.interval.low + 1e-9
    assert fewer.interval.high <= more.interval.high
    assert fewer.value <= more.value


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), power=st.sampled_from([0.5, 2.0, 3.0]))
def test_only_the_order_of_distances_counts(seed, power):
    rng = np.random.default_rng(seed)
    # Far enough from 0 that no power of them counts as the distance of equal rows.
    generated, test = 0.01 + rng.random(80) * 0.7, 0.01 + rng.random(90)
    straight, bent = found(generated, test), found(generated**power * 5, test**power * 5)
    assert straight.interval == bent.interval
    assert straight.value == bent.value


def test_swapping_generated_and_test_or_train_changes_it():
    rng = np.random.default_rng(5)
    train = rng.normal(size=(200, 6)).astype(np.float32)
    sets = {
        "generated": np.vstack([train[:30] + 1e-3, rng.normal(size=(120, 6))]).astype(np.float32),
        "train": train,
        "test": rng.normal(size=(150, 6)).astype(np.float32),
    }
    straight = copied_fraction(**sets)
    assert straight.value == pytest.approx(0.2, abs=0.03)
    assert straight.interval.low > 0.1
    assert straight.n == {"generated": 150, "train": 200, "test": 150}
    swapped = copied_fraction(generated=sets["test"], train=train, test=sets["generated"])
    assert swapped.interval.low == 0
    turned = copied_fraction(generated=train, train=sets["generated"], test=sets["test"])
    assert turned.parts["below"] != straight.parts["below"]


def test_tensors_give_what_arrays_give_and_the_metric_can_be_chosen():
    rng = np.random.default_rng(6)
    sets = {
        role: rng.normal(size=(rows, 5)).astype(np.float32)
        for role, rows in (("generated", 40), ("train", 60), ("test", 50))
    }
    tensors = {role: torch.from_numpy(array) for role, array in sets.items()}
    assert copied_fraction(**tensors).to_dict() == copied_fraction(**sets).to_dict()
    euclidean = copied_fraction(**sets, metric="euclidean")
    assert euclidean.parts["threshold"] != copied_fraction(**sets).parts["threshold"]


@pytest.mark.parametrize(
    ("n", "m", "words"),
    [
        (3, 2, "too few to tell any share"),
        (300, 300, r"fewer than 7 images \(2.3 %\) closer than"),
        (10_000, 10_000, None),
    ],
)
def test_what_few_images_cannot_show_is_said(n, m, words):
    rng = np.random.default_rng(7)
    result = found(rng.random(n), rng.random(m))
    fewest = result.parts["fewest_below"]
    if words is None:
        assert result.notes == ()
    else:
        (note,) = result.notes
        assert re.search(words, note)
    if fewest is not None:
        rank = result.parts["held_out_rank"]
        assert room._interval(fewest, n, rank, m)[0] > 0
        assert room._interval(fewest - 1, n, rank, m)[0] == 0


def test_unusable_distances_are_refused_by_role():
    good = np.array([0.1, 0.2])
    for bad in (np.array([0.1, np.nan]), np.empty(0), np.ones((2, 2))):
        with pytest.raises(InputError, match="test: expected a finite distance for each row"):
            found(good, bad)
        with pytest.raises(InputError, match="generated: expected"):
            found(bad, good)
    with pytest.raises(InputError, match="differ in feature dimension"):
        copied_fraction(generated=np.ones((2, 3)), train=np.ones((2, 3)), test=np.ones((2, 4)))


def test_a_million_images_take_no_time_and_no_memory_to_speak_of():
    rng = np.random.default_rng(8)
    generated, test = rng.random(1_000_000), rng.random(1_000_000)
    generated[:5_000] = 0.0
    started = time.perf_counter()
    result = found(generated, test)
    assert time.perf_counter() - started < 5  # 0.3 s here
    assert 0.004 < result.interval.low < 0.005 < result.interval.high < 0.008


def test_a_narrower_generator_that_copies_nothing_is_not_accused():
    """Its images lie where the training images are dense: nearer, but not nearer to one of them."""
    accused = nearer = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        train, test = rng.normal(size=(2, 800, 64)).astype(np.float32)
        generated = (0.85 * rng.normal(size=(800, 64))).astype(np.float32)
        result = copied_fraction(generated=generated, train=train, test=test, metric="euclidean")
        accused += result.interval.low > 0
        distances = [
            nearest(rows, train, metric="euclidean").distances[:, 0] for rows in (generated, test)
        ]
        nearer += found(*distances).interval.low > 0
    assert accused <= 2
    assert nearer >= 15  # the distance itself accuses it


def test_the_relative_distance_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    train, queries = rng.normal(size=(30, 4)), rng.normal(size=(9, 4))
    queries[0] = train[3]
    distances = np.sort(np.linalg.norm(queries[:, None] - train[None], axis=2), axis=1)
    expected = distances[:, 0] / distances[:, 4]
    assert room.relative_distances(distances[:, :5]) == pytest.approx(expected)
    assert room.relative_distances(distances[:, :5])[0] == 0
    assert room.relative_distances(distances[:, :2]) == pytest.approx(
        distances[:, 0] / distances[:, 1]
    )


def test_an_image_that_is_made_again_and_again_counts_once_for_the_interval():
    rng = np.random.default_rng(0)
    test, generated = rng.random(1_000), rng.random(1_000)
    generated[:40] = 1e-4
    result = copied_fraction_from(
        generated=generated, test=test, nearest_train=np.arange(1_000), train_rows=1_000
    )
    assert result.interval.low > 0
    assert result.parts["train_images_below"] == result.parts["below"] >= 40
    same = np.where(np.arange(1_000) < 40, 7, np.arange(1_000))
    repeated = copied_fraction_from(
        generated=generated, test=test, nearest_train=same, train_rows=1_000
    )
    assert repeated.value == result.value
    assert repeated.interval.low == 0
    assert "again and again" in repeated.notes[-1]


@pytest.mark.parametrize(("n", "m"), [(200, 200), (5_000, 1_000)])
def test_the_detectable_share_is_found_in_95_of_100_draws(n, m):
    rng = np.random.default_rng(0)
    parts = found(rng.random(n), rng.random(m)).parts
    share, fewest = parts["detectable_share"], parts["fewest_below"]
    assert binom.sf(fewest - 1, n, share) == pytest.approx(0.95, abs=1e-6)


def test_too_few_images_have_no_detectable_share():
    assert found([0.5], [0.4, 0.6]).parts["detectable_share"] is None
