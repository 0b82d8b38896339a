import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genmem.report.common.histogram import enlarged_left_end, histogram

distances = arrays(np.float64, st.integers(1, 50), elements=st.floats(0, 2, allow_subnormal=False))


@given(distances, distances)
def test_every_mark_and_tick_lies_inside_the_drawing(generated, test):
    result = histogram({"generated": generated, "test": test}, tau=0.1)
    assert result is not None
    marks = (*result.marks, *result.x_ticks, *result.y_ticks)
    assert all(0 <= mark.at <= 100 for mark in marks)
    assert len(result.x_ticks) <= 9


def test_bars_are_shares_of_their_own_set():
    result = histogram({"generated": np.full(10, 0.1), "test": np.full(1000, 0.3)})
    assert result is not None
    tops = [
        min(float(step[1:]) for step in o.line.split() if step[0] == "V") for o in result.outlines
    ]
    assert tops[0] == tops[1]


def test_medians_and_tau_stand_where_their_values_are():
    result = histogram({"generated": np.array([0.1, 0.2, 0.4])}, tau=0.1)
    assert result is not None
    at = {mark.kind: mark.at for mark in result.marks}
    assert at["generated"] == pytest.approx(2 * at["tau"])
    assert "0.2" in next(mark.label for mark in result.marks if mark.kind == "generated")


def test_exact_copies_only_still_make_a_drawing():
    assert histogram({"generated": np.zeros(30)}) is not None
    assert enlarged_left_end({"generated": np.zeros(600)}) is None


def test_infinite_and_missing_distances_are_not_drawn():
    assert histogram({"generated": np.array([np.nan, np.inf])}) is None
    assert histogram({}) is None


def test_a_few_copies_among_many_show_in_the_enlarged_left_end():
    rng = np.random.default_rng(0)
    test = rng.normal(0.3, 0.03, 5000)
    generated = np.concatenate([rng.normal(0.3, 0.03, 4950), np.full(50, 0.005)])
    result = enlarged_left_end({"generated": generated, "test": test})
    assert result is not None
    first_bar = float(result.outlines[0].line.split()[1][1:])
    assert result.outlines[0].role == "generated"
    assert first_bar < 50  # the copies make one of the highest bars
