"""The sentence that a rejection study begins with."""

import pytest

from genmem.report.rejection_study.text import entry, finding


def cell(tau, fd, c_t, change=None, low=None, high=None):
    def mean(value, **difference):
        none = {"mean": None, "low": None, "high": None, "n": 0}
        return {"mean": value, "low": None, "high": None, "n": 3, "difference": none | difference}

    metrics = {
        "fd_test": mean(fd, mean=fd - 10.0, n=3),
        "c_t": mean(c_t, mean=change, low=low, high=high, n=3),
    }
    log = {"tau": {"mean": tau}}
    return {
        "model": "sagan",
        "tau": tau,
        "seeds": [0],
        "log": log,
        "spaces": {"x": {"metrics": metrics}},
    }


def said(*cells):
    return finding({"cells": list(cells)}, "sagan", "x")


def test_of_the_tau_at_which_fd_held_the_one_with_c_t_nearest_0_is_named_as_the_best_of_so_many():
    found = said(
        cell(0, 10.0, -5.0),
        cell(0.1, 10.5, -2.0, 3.0, 1.0, 5.0),
        cell(0.15, 10.0, 4.0, 9.0, 8.0, 10.0),
        cell(0.2, 10.6, 0.0, 5.0, 4.0, 6.0),
    )
    assert found.startswith(
        "At τ = 0.1, the best of 3 tried (its C_T is nearest 0 of the 2 at which FD to the test "
        "images held), C_T is −2, against −5 without rejection: it rose by 3 (95 %"
    )
    assert "1 to 5)" in found
    assert "chance" not in found


def test_a_worse_fd_is_not_taken_to_hold_because_its_interval_is_wide():
    wide = cell(0.1, 11.0, -3.0, 2.0)
    wide["spaces"]["x"]["metrics"]["fd_test"]["difference"] |= {"low": -8.0, "high": 10.0}
    assert "rose by more than 5 % at the τ measured" in said(cell(0, 10.0, -5.0), wide)


def test_a_tau_whose_runs_all_ended_early_counts_among_those_tried():
    ended = cell(0.9, 1.0, 0.0) | {"seeds": []}
    found = said(cell(0, 10.0, -5.0), cell(0.1, 10.0, -3.0, 2.0, 1.0, 3.0), ended)
    assert "At τ = 0.1, the best of 2 tried" in found


def test_the_only_tau_tried_is_not_called_the_best():
    found = said(cell(0, 10.0, -5.0), cell(0.1, 10.0, -3.0, 2.0, 1.0, 3.0))
    assert found.startswith("At τ = 0.1 C_T is −3")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([cell(0.1, 10, -3)], "There is no run without rejection"),
        ([cell(0, 10.0, -5.0)], "No τ was tried"),
        (
            [cell(0, 10.0, -5.0), cell(0.2, 14.0, 0.0, 5.0)],
            "FD to the test images rose by more than 5 % at the τ measured",
        ),
        (
            [cell(0, 10.0, -5.0), cell(0.2, 14.0, 0.0, 5.0), cell(0.3, 15.0, 0.0, 5.0)],
            "at each of the 2 τ measured",
        ),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -3.0, 2.0)], "one seed, so no interval"),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -5.5, -0.5, -2.0, 1.0)], "it fell by 0.5"),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -4.0, 1.0, -1.0, 3.0)], "so it may be chance"),
    ],
)
def test_what_cannot_be_said_is_not_said(cells, words):
    assert words in said(*cells)


def test_an_entry_has_an_interval_where_there_are_several_seeds():
    found = {"mean": 0.25, "low": -0.01, "high": 0.5}
    assert entry(found).interval == "−0.01 to 0.5"
    assert (entry(found, percent=True).value, entry(found, percent=True).interval) == (
        "25.0 %",
        "0 to 50.0 %",
    )
    assert entry({"mean": 0.25, "low": None, "high": None}).interval == ""
    assert entry({"mean": None, "low": None, "high": None}).value == "–"
