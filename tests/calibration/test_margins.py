import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.calibration import auc, calibrate, d_prime, dispersion, margins, rank_spaces
from genmem.errors import UsageError

distances = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=12).map(
    np.asarray
)
HONEST = np.array([0.30, 0.32, 0.35, 0.41])
CHEATING = np.array([0.10, 0.12, 0.31])


@given(distances, distances)
def test_auc_is_the_share_of_pairs_in_the_right_order(honest, cheating):
    pairs = honest[:, None] - cheating[None, :]
    slow = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert auc(honest=honest, cheating=cheating) == pytest.approx(slow)


def test_d_prime_is_the_difference_of_means_in_pooled_deviations():
    spread = math.sqrt((np.var(HONEST) + np.var(CHEATING)) / 2)
    expected = (HONEST.mean() - CHEATING.mean()) / spread
    assert d_prime(honest=HONEST, cheating=CHEATING) == pytest.approx(expected)
    assert d_prime(honest=CHEATING, cheating=HONEST) == pytest.approx(-expected)


@given(st.floats(0.01, 100))
def test_normalized_margins_do_not_depend_on_the_scale_of_the_distances(scale):
    one = margins(honest=HONEST, cheating=CHEATING)
    other = margins(honest=scale * HONEST, cheating=scale * CHEATING)
    assert other.auc == one.auc
    assert other.d_prime == pytest.approx(one.d_prime)
    assert other.normalized_gap == pytest.approx(one.normalized_gap)
    assert other.dispersion.relative_variance == pytest.approx(one.dispersion.relative_variance)
    assert other.gap == pytest.approx(scale * one.gap)


def test_the_gap_is_negative_where_the_groups_overlap():
    assert margins(honest=HONEST, cheating=CHEATING).gap == pytest.approx(-0.01)
    assert margins(honest=HONEST, cheating=CHEATING[:2]).gap == pytest.approx(0.18)


def test_the_papers_margin_is_the_least_sum_of_squares_over_all_thresholds():
    values = np.concatenate([HONEST, CHEATING])
    found = dispersion(values)
    taus = np.linspace(0, 1, 2_001)
    slow = ((values[:, None] - taus) ** 2).sum(axis=0).min()
    assert found.total_squared_deviation == pytest.approx(slow, rel=1e-4)
    assert found.tau == pytest.approx(values.mean())


def test_the_papers_margin_uses_no_labels_and_grows_with_n():
    values = np.concatenate([HONEST, CHEATING])
    twice = dispersion(np.concatenate([values, values]))
    assert twice.total_squared_deviation == pytest.approx(
        2 * dispersion(values).total_squared_deviation
    )
    assert twice.relative_variance == pytest.approx(dispersion(values).relative_variance)
    swapped = margins(honest=CHEATING, cheating=HONEST).dispersion
    straight = margins(honest=HONEST, cheating=CHEATING).dispersion
    assert swapped.total_squared_deviation == pytest.approx(straight.total_squared_deviation)


def test_intervals_hold_their_values_and_repeat_with_the_seed():
    rng = np.random.default_rng(0)
    honest, cheating = rng.uniform(0.2, 0.5, 30), rng.uniform(0, 0.3, 20)
    one = margins(honest=honest, cheating=cheating, seed=1)
    assert one.auc_interval is not None
    assert one.d_prime_interval is not None
    assert one.auc_interval.low <= one.auc <= one.auc_interval.high
    assert one.d_prime_interval.low <= one.d_prime <= one.d_prime_interval.high
    assert margins(honest=honest, cheating=cheating, seed=1) == one


def test_a_handful_of_entries_has_no_interval_of_d_prime():
    # Some redrawings are one entry over and over, which has no spread.
    assert margins(honest=HONEST, cheating=CHEATING).d_prime_interval is None


def test_the_auc_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = 0.5 * (1 + math.erf(1 / 2))  # P(N(1, 1) > N(0, 1)), shifted to be ≥ 0
    held = 0
    for _ in range(100):
        found = margins(honest=6 + rng.normal(size=60), cheating=5 + rng.normal(size=60))
        assert found.auc_interval is not None
        held += found.auc_interval.low <= truth <= found.auc_interval.high
    assert held >= 88


def test_single_entries_and_equal_ones_have_no_interval_and_no_d_prime():
    single = margins(honest=np.array([0.3]), cheating=np.array([0.1]))
    assert (single.auc, single.auc_interval) == (1.0, None)
    assert math.isnan(single.d_prime)
    equal = margins(honest=np.full(3, 0.1), cheating=np.full(3, 0.1))
    assert math.isnan(equal.d_prime)
    assert equal.d_prime_interval is None
    assert equal.to_dict()["d_prime"] is None


def test_spaces_are_ranked_by_auc_and_then_by_d_prime():
    spaces = {
        "overlap": (HONEST, CHEATING),
        "far": (HONEST, CHEATING[:2]),
        "farther": (HONEST, CHEATING[:2] / 10),
        "flat": (np.full(2, 0.2), np.full(2, 0.2)),
    }
    found = [
        calibrate(honest=honest, cheating=cheating, space=name)
        for name, (honest, cheating) in spaces.items()
    ]
    assert [one.space for one in rank_spaces(found)] == ["farther", "far", "overlap", "flat"]


def test_the_chosen_criterion_gives_tau():
    by_error = calibrate(honest=HONEST, cheating=CHEATING, space="pixels", criterion="error")
    assert by_error.tau == by_error.thresholds["error"].tau
    assert calibrate(honest=HONEST, cheating=CHEATING, space="pixels").tau == 0.30
    with pytest.raises(UsageError, match="criterion"):
        calibrate(honest=HONEST, cheating=CHEATING, space="pixels", criterion="best")


def test_notes_mention_swapped_labels_and_few_entries():
    notes = " ".join(calibrate(honest=CHEATING, cheating=HONEST, space="pixels").notes)
    assert "are not swapped" in notes
    assert "Only 3 honest entries" in notes
