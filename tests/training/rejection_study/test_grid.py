"""What a study consists of, and what it refuses before the first run."""

from pathlib import Path

import pytest

from genmem.errors import UsageError
from genmem.training.rejection_study.grid import Plan


def plan(common, **values):
    arguments = {
        "folder": Path("study"),
        "train": "train.npy",
        "test": "test.npy",
        "taus": [0.1],
        "models": ["dcgan"],
        "seeds": 2,
        "evaluate_with": ["pixels"],
        "training": common,
    }
    return Plan(**arguments | values)


def test_every_model_tau_and_seed_is_a_run_and_no_rejection_is_among_them(training):
    result = plan(training, taus=["auto", 0.2, 0.05], models=["sagan", "dcgan"])
    assert result.taus == (0.0, 0.05, 0.2, "auto")
    assert len(result.runs) == len({run.folder for run in result.runs}) == 4 * 2 * 2
    assert {run.config.tau for run in result.runs} == {None, 0.05, 0.2, "auto"}
    assert result.runs[0].name == "sagan-tau-0-seed-0"
    assert {run.config.seed for run in result.runs} == {0, 1}


def test_thresholds_that_differ_little_have_folders_of_their_own(training):
    result = plan(training, taus=[0.1234567, 0.1234568])
    assert len({run.folder for run in result.runs}) == 6


def test_runs_measure_on_the_way_only_when_asked(training):
    assert all(not run.config.evaluate_with for run in plan(training).runs)
    config = plan(training | {"evaluate_every": 3}).runs[0].config
    assert (config.evaluate_with, config.test) == (("pixels",), "test.npy")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"models": ["dcgan", "gan"]}, "expected one of dcgan, sagan, biggan"),
        ({"models": []}, "model: expected at least one"),
        ({"models": ["dcgan", "dcgan"]}, "named twice"),
        ({"taus": [0.1, 3.0]}, "tau: expected 'auto' or a distance in"),
        ({"taus": [0.1, 0.1]}, "named twice"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"seeds": 10**8}, "at most 1,000, got 100,000,000"),
        ({"evaluate_with": []}, "evaluate-with: expected at least one"),
        ({"references": {"test": "x"}}, "the name .* is reserved"),
        ({"training": {"stepps": 3}}, "did you mean steps"),
    ],
)
def test_what_is_not_possible_is_refused_before_the_first_run(training, values, words):
    with pytest.raises(UsageError, match=words):
        plan(training, **values)
