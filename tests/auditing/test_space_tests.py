"""Statistics combined by weight: the error rate holds, and further ones cost little recall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.search import Matches
from genmem.auditing.space_tests import (
    Statistic,
    combine_tests,
    compute_tests,
    most_significant,
)
from genmem.auditing.statistics import AUGMENTED_WEIGHT, RATIO_WEIGHT, space_statistics
from genmem.calibration.null_distribution import null_distribution
from genmem.calibration.q_values import q_values


def draw(rng, images, exponents, dependence):
    """Statistics of images, P(x < t) = t^α, tied to each other by a common part: [T, images]."""
    common = rng.random(images)
    uniform = np.where(
        rng.random((len(exponents), images)) < dependence,
        common,
        rng.random((len(exponents), images)),
    )
    return uniform ** (1 / np.asarray(exponents, float)[:, None])


def combined(generated, honest, weights):
    return compute_tests(
        [
            Statistic(name="", generated=one, honest=other, weight=weight)
            for one, other, weight in zip(generated, honest, weights, strict=True)
        ]
    )


def is_flagged(test):
    return q_values(test.p_values, test.honest_p_values) <= 0.05


@pytest.mark.parametrize("dependence", [0, 0.8])
@pytest.mark.parametrize("images", [60, 250, 600])
def test_honest_sets_are_flagged_in_at_most_one_draw_in_twenty_at_any_weights(images, dependence):
    rng = np.random.default_rng(0)
    flagged, draws = 0, 120
    for _ in range(draws):
        exponents = rng.uniform(1, 30, 8)
        weights = rng.choice([1, 0.1, 0.05, 0.005], 8)
        generated, honest = (draw(rng, images, exponents, dependence) for _ in range(2))
        flagged += is_flagged(combined(generated, honest, weights)).any()
    assert flagged / draws <= 0.05 + 0.02


@given(
    st.lists(st.sampled_from([1.0, 0.1, 0.05]), min_size=1, max_size=5),
    st.integers(30, 120),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=30)
def test_the_combined_p_value_is_the_rank_of_the_smallest_weighted_score(weights, images, seed):
    rng = np.random.default_rng(seed)
    exponents = rng.uniform(1, 20, len(weights))
    generated, honest = (draw(rng, images, exponents, 0.3) for _ in range(2))
    test = combined(generated, honest, weights)
    nulls = [null_distribution(values) for values in honest]
    own = [
        null.leave_one_out_scores(values).tolist()
        for null, values in zip(nulls, honest, strict=True)
    ]
    smallest = [
        min(scores[other] / weight for scores, weight in zip(own, weights, strict=True))
        for other in range(images)
    ]
    for row in range(0, images, 7):
        score = min(
            null.scores(values[row : row + 1])[0] / weight
            for null, values, weight in zip(nulls, generated, weights, strict=True)
        )
        if len(weights) > 1:
            below = sum(other <= score for other in smallest)
            assert test.p_values[row] == pytest.approx((1 + below) / (images + 1))
    assert test.p_values_of(list(generated)) == pytest.approx(test.p_values)


def recall(weight, draws=60, copies=22, images=250, further=12):
    """Share of copies flagged that one of two main tests sees, with further tests of a weight."""
    rng = np.random.default_rng(1)
    found = np.zeros(2)
    for _ in range(draws):
        exponents = np.concatenate([[12, 6], rng.uniform(4, 20, further)])
        generated, honest = (draw(rng, images, exponents, 0.2) for _ in range(2))
        generated[0, :copies] = 0.4
        for place, count in enumerate((2, 2 + further)):
            weights = [1.0, 1.0] + [weight] * further
            test = combined(generated[:count], honest[:count], weights[:count])
            found[place] += is_flagged(test)[:copies].mean() / draws
    return found


def test_twelve_further_tests_cost_three_percent_of_recall_at_most_where_they_weigh_little():
    before, after = recall(AUGMENTED_WEIGHT)
    assert before > 0.5
    assert after >= before - 0.03
    before, after = recall(1.0)
    assert after < before - 0.1  # what the weight prevents


def matches(rng, images, *, copies=0, second=None):
    distances = np.sort(0.2 + rng.random((images, 10)), axis=1)
    distances[:copies, 0] = 0.21
    if second is not None:
        distances[:copies, 1:] = np.sort(second + rng.random((copies, 9)), axis=1)
    rows = np.tile(np.arange(10), (images, 1))
    return Matches(distances=distances, train=rows, augmentations=np.zeros_like(rows))


def test_the_ratio_finds_copies_no_closer_than_honest_images_and_the_distance_doubled_ones():
    rng = np.random.default_rng(2)
    generated, honest = matches(rng, 300, copies=30, second=2.0), matches(rng, 300)
    search = SpaceSearch(
        name="features",
        metric="absolute_cosine",
        families={UNCHANGED: (), "flip": ()},
        generated={UNCHANGED: generated, "flip": matches(rng, 300)},
        honest={UNCHANGED: honest, "flip": matches(rng, 300)},
    )
    units = HonestUnits(source="test", kept=np.ones(300, bool))
    statistics = space_statistics(search, units)
    assert [(one.name, one.family, one.weight) for one in statistics] == [
        ("distance", UNCHANGED, 1.0),
        ("d1/d2", UNCHANGED, RATIO_WEIGHT),
        ("distance", "flip", AUGMENTED_WEIGHT),
        ("d1/d2", "flip", pytest.approx(RATIO_WEIGHT * AUGMENTED_WEIGHT)),
    ]
    assert not is_flagged(compute_tests(statistics[:1]))[:30].any()
    assert is_flagged(compute_tests(statistics))[:30].all()
    doubled = generated.distances.copy()
    doubled[:30, :2] = 0.01
    twice = Matches(distances=doubled, train=generated.train, augmentations=generated.augmentations)
    search = SpaceSearch(
        name="features",
        metric="absolute_cosine",
        families={UNCHANGED: ()},
        generated={UNCHANGED: twice},
        honest={UNCHANGED: honest},
    )
    assert is_flagged(compute_tests(space_statistics(search, units)))[:30].all()


def test_evidence_that_no_honest_image_shows_is_found_beside_other_tests():
    rng = np.random.default_rng(3)
    generated, honest = (draw(rng, 250, [10, 5], 0) for _ in range(2))
    evidence = np.ones(250)
    evidence[:22] = 1 / (1 + rng.uniform(8, 60, 22))
    spaces = [combined(generated[:1], honest[:1], [1.0]), combined(generated[1:], honest[1:], [1])]
    local = combined([evidence], [np.ones(250)], [1.0])
    test = combine_tests([*spaces, local])
    assert is_flagged(test)[:22].all()
    assert (most_significant([*spaces, local])[:22] == 2).all()
    assert not is_flagged(combine_tests(spaces)).any()
