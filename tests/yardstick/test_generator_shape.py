import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from genmem.neighbors import nearest
from genmem.yardstick.generator_shape import describe_shape, generator_shape, rank_z


def shape_of(generated, seed=0):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(size=(2, 600, 16))
    distances = [
        np.asarray(nearest(rows, train, metric="euclidean").distances)[:, 0]
        for rows in (generated, test)
    ]
    return generator_shape(
        generated=generated,
        test=test,
        generated_distances=distances[0],
        test_distances=distances[1],
        metric="euclidean",
    )


@pytest.mark.parametrize(
    ("spread", "words"),
    [(1.0, []), (0.8, ["Narrower", "Nearer as a whole"]), (2.0, ["Farther as a whole"])],
)
def test_the_spread_of_a_generator_is_said_in_sentences(spread, words):
    generated = spread * np.random.default_rng(9).normal(size=(600, 16))
    sentences = describe_shape(shape_of(generated), "in features")
    assert [sentence.split(":")[0] for sentence in sentences] == words
    assert not any("copies its" in sentence for sentence in sentences)


def test_a_generator_of_few_modes_is_narrower():
    rng = np.random.default_rng(8)
    modes = rng.normal(size=(5, 16))
    generated = modes[rng.integers(0, 5, 600)] + 0.5 * rng.normal(size=(600, 16))
    assert shape_of(generated).narrower


def test_sets_of_other_sizes_are_compared_at_equal_counts():
    """More images are closer to each other; that is not narrower."""
    generated = np.random.default_rng(7).normal(size=(3_000, 16))
    assert not shape_of(generated).narrower
    assert shape_of(generated).count == 600


def test_a_handful_of_images_has_no_shape():
    few = shape_of(np.zeros((5, 16)))
    assert [few.narrower, few.nearer, few.farther] == [False] * 3


def test_the_z_score_is_that_of_the_rank_sum():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=40), 0.5 + rng.normal(size=70)
    expected = mannwhitneyu(first, second, use_continuity=False, method="asymptotic")
    z = rank_z(first, second)
    assert (expected.statistic - 40 * 70 / 2) / np.sqrt(40 * 70 * 111 / 12) == pytest.approx(z)
