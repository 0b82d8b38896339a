"""The order in which an audit's images are looked at."""

import numpy as np

import genmem
from genmem.auditing.results import copied_images, most_suspicious_first


def test_of_images_with_equal_p_values_the_closer_copy_comes_first():
    rng = np.random.default_rng(0)
    train, test, honest = (
        np.abs(rng.normal(size=(rows, 24))).astype(np.float32) for rows in (300, 60, 30)
    )
    noise = np.repeat(np.array([0.05, 0.01, 0.1, 0.001, 0.02]), 6)[:, None]
    copies = (train[:30] * (1 + noise * rng.normal(size=(30, 24)))).astype(np.float32)
    audit = genmem.audit(generated=np.concatenate([honest, copies]), train=train, test=test)
    order = most_suspicious_first(audit)
    assert (np.diff(audit.p_values[order]) >= 0).all()
    copied = [row for row in order.tolist() if row >= 30]
    tied = [row for row in copied if audit.p_values[row] == audit.p_values.min()]
    assert len(tied) > 12
    distances = audit.spaces[0].statistic[tied]
    assert (np.diff(distances) >= 0).all()
    assert {row - 30 for row in tied[:6]} == set(range(18, 24))  # a noise of a thousandth
    ranks = np.argsort(order)
    assert all((np.diff(ranks[list(one.generated)]) > 0).all() for one in copied_images(audit))
