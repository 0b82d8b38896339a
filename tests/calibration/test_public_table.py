"""The figures of the KDD 2021 paper and those counted in its public results table."""

import numpy as np
import pytest

from genmem.calibration import analyze


@pytest.fixture(scope="module")
def found(public_table):
    return analyze(public_table)


def test_the_table_has_the_published_number_of_entries(found):
    assert found.counts == {"non-mem": 497, "mgan": 366, "sup": 70, "aug": 52, "ae": 10, "": 671}
    public, private = found.boards["public"], found.boards["private"]
    assert (public.disqualified, private.disqualified) == (0, 495)
    assert (public.reproduced, private.reproduced) == (1666, 1171)


def test_fd_and_distance_correlate_as_published(found):
    pearson = [
        next(one.pearson for one in board.correlations if one.group == "non-mem")
        for board in found.boards.values()
    ]
    assert pearson == pytest.approx([0.9642, 0.9551], abs=5e-5)


def test_the_boards_agree_as_published(found):
    every, honest = (one for one in found.agreements if one.by == "fd")
    assert every.spearman == pytest.approx(0.9353, abs=5e-5)
    assert every.mean_rank_difference == pytest.approx(122.2, abs=0.05)
    assert honest.mean_rank_difference == pytest.approx(94.66, abs=0.005)
    assert honest.overlap[5] == 1


def test_margins_are_as_counted(found):
    public, private = (board.calibration.margins for board in found.boards.values())
    assert [public.auc, private.auc] == pytest.approx([0.9925, 0.9969], abs=5e-5)
    assert [public.d_prime, private.d_prime] == pytest.approx([4.64, 5.58], abs=5e-3)
    literal = [one.dispersion.total_squared_deviation for one in (public, private)]
    assert literal == pytest.approx([2.79, 8.90], abs=5e-3)
    assert [public.dispersion.tau, private.dispersion.tau] == pytest.approx(
        [0.168, 0.315], abs=5e-4
    )
    # The larger d(M) is the smaller one once the scale of the distances is taken out.
    assert public.dispersion.relative_variance > private.dispersion.relative_variance


def test_thresholds_are_as_counted(found):
    public, private = (board.calibration.thresholds for board in found.boards.values())
    spare = [one["false_penalty"] for one in (public, private)]
    assert [one.tau for one in spare] == pytest.approx([0.1517, 0.2502], abs=5e-5)
    assert [(one.caught, one.cheating, one.penalized) for one in spare] == [
        (447, 498, 0),
        (446, 498, 0),
    ]
    fewest = [one["error"] for one in (public, private)]
    assert [one.tau for one in fewest] == pytest.approx([0.198, 0.353], abs=5e-4)
    assert [one.errors for one in fewest] == [43, 29]
    assert found.boards["public"].in_force.caught == 3


def test_the_penalty_cuts_the_review_to_a_quarter(found):
    opened = {
        name: {case.name: case.blank_is_neither.opened for case in board.reviews}
        for name, board in found.boards.items()
    }
    assert opened["private"]["no penalty"] == 595
    assert opened["private"]["in force"] == opened["private"]["false_penalty"] == 149
    assert (opened["public"]["no penalty"], opened["public"]["false_penalty"]) == (609, 162)
    clean = [case.blank_is_clean.opened for case in found.boards["public"].reviews]
    assert (clean[0], clean[2]) == (591, 144)


def test_the_sweep_ends_with_everything_but_the_last_entry(found):
    sweep = found.boards["private"].sweep
    assert (np.diff(sweep.caught) >= 0).all()
    assert sweep.penalized[-1] == 496
