"""The sentence that a rejection study begins with."""

import pytest

from genmem.report.rejection_study.text import describe_finding, format_mean

from .factories import build_cell, build_results, paired_mean, seed_mean


def cell(tau, fd, c_t, change=None, low=None, high=None, fd_change=None, seeds=(0,)):
    metrics = {
        "fd_test": paired_mean(fd, fd_change or seed_mean(fd - 10.0, n=3)),
        "c_t": paired_mean(c_t, seed_mean(change, low, high, n=3)),
    }
    return build_cell(tau, metrics, seeds=seeds)


def finding(*cells):
    return describe_finding(build_results(*cells), "sagan", "x")


def test_of_the_tau_at_which_fd_held_the_one_with_c_t_nearest_0_is_named_as_the_best_of_so_many():
    result = finding(
        cell(0, 10.0, -5.0),
        cell(0.1, 10.5, -2.0, 3.0, 1.0, 5.0),
        cell(0.15, 10.0, 4.0, 9.0, 8.0, 10.0),
        cell(0.2, 10.6, 0.0, 5.0, 4.0, 6.0),
    )
    assert result.startswith(
        "At τ = 0.1, the best of 3 tried (its C_T is nearest 0 of the 2 at which FD to the test "
        "images held), C_T is −2, against −5 without rejection: it rose by 3 (95 %"
    )
    assert "1 to 5)" in result
    assert "chance" not in result


def test_a_worse_fd_is_not_taken_to_hold_because_its_interval_is_wide():
    wide = cell(0.1, 11.0, -3.0, 2.0, fd_change=seed_mean(1.0, -8.0, 10.0, n=3))
    assert "rose by more than 5 % at the τ evaluated" in finding(cell(0, 10.0, -5.0), wide)


def test_a_tau_whose_runs_all_ended_early_counts_among_those_tried():
    ended = cell(0.9, 1.0, 0.0, seeds=())
    result = finding(cell(0, 10.0, -5.0), cell(0.1, 10.0, -3.0, 2.0, 1.0, 3.0), ended)
    assert "At τ = 0.1, the best of 2 tried" in result


def test_the_only_tau_tried_is_not_called_the_best():
    result = finding(cell(0, 10.0, -5.0), cell(0.1, 10.0, -3.0, 2.0, 1.0, 3.0))
    assert result.startswith("At τ = 0.1 C_T is −3")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([cell(0.1, 10, -3)], "There is no run without rejection"),
        ([cell(0, 10.0, -5.0)], "No τ was tried"),
        (
            [cell(0, 10.0, -5.0), cell(0.2, 14.0, 0.0, 5.0)],
            "FD to the test images rose by more than 5 % at the τ evaluated",
        ),
        (
            [cell(0, 10.0, -5.0), cell(0.2, 14.0, 0.0, 5.0), cell(0.3, 15.0, 0.0, 5.0)],
            "at each of the 2 τ evaluated",
        ),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -3.0, 2.0)], "one seed, so no interval"),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -5.5, -0.5, -2.0, 1.0)], "it fell by 0.5"),
        ([cell(0, 10.0, -5.0), cell(0.1, 9.0, -4.0, 1.0, -1.0, 3.0)], "so it may be chance"),
    ],
)
def test_what_cannot_be_said_is_not_finding(cells, words):
    assert words in finding(*cells)


def test_an_entry_has_an_interval_where_there_are_several_seeds():
    mean = seed_mean(0.25, -0.01, 0.5)
    assert format_mean(mean).interval == "−0.01 to 0.5"
    percent = format_mean(mean, percent=True)
    assert (percent.value, percent.interval) == ("25.0 %", "0 to 50.0 %")
    assert format_mean(seed_mean(0.25)).interval == ""
    assert format_mean(seed_mean(None)).value == "–"
