"""AuthPct at its limits: exact copies, far images, and images exactly at the gap."""

import numpy as np

from genmem.metrics.authpct import authpct


def test_exact_copies_are_never_authentic_and_far_images_always_are():
    rng = np.random.default_rng(5)
    train = rng.normal(size=(30, 5))
    assert authpct(generated=train[:7], train=train).value == 0
    assert authpct(generated=train[:7] + 100, train=train).value == 100


def test_an_image_exactly_at_the_gap_is_not_authentic():
    train = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0]])
    generated = np.array([[0.0, 1.0]])  # as far from train[0] as train[1] is
    assert authpct(generated=generated, train=train).value == 0
