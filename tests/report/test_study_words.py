"""The sentence that a rejection study begins with."""

import pytest

from genmem.report.study_words import entry, finding


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


def test_the_best_tau_at_no_worse_fd_is_named_with_its_interval():
    found = said(
        cell(0, 10.0, -5.0),
        cell(0.1, 10.2, -3.0, 2.0, 1.0, 3.0),
        cell(0.2, 14.0, 0.0, 5.0, 4.0, 6.0),
    )
    assert found.startswith(
        "At τ = 0.1 C_T is −3, against −5 without rejection: it rose by 2 (95 %"
    )
    assert "1 to 3)" in found
    assert "chance" not in found


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([cell(0.1, 10, -3)], "There is no run without rejection"),
        ([cell(0, 10.0, -5.0)], "No τ was tried"),
        (
            [cell(0, 10.0, -5.0), cell(0.2, 14.0, 0.0, 5.0)],
            "Every τ tried made FD to the test images worse",
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
