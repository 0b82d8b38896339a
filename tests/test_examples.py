"""The most used public functions have an example in their docstring, and it runs."""

import doctest

import pytest

import genmem
from genmem.calibration import analyze, calibrate

FUNCTIONS = [
    genmem.score,
    genmem.audit,
    calibrate,
    analyze,
    genmem.nearest,
    genmem.cmmd,
    genmem.fd,
    genmem.fd_ratio,
    genmem.fd_unbiased,
    genmem.kd,
    genmem.mifid,
    genmem.memorization_distance,
    genmem.c_t,
    genmem.copied_fraction,
    genmem.precision,
    genmem.realism,
    genmem.recall,
    genmem.open_images,
    genmem.duplicates,
    genmem.vendi,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_example_of_a_public_function_runs(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    assert example.examples, f"{function.__name__} has no Example"
    failures = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(
        example, out=failures.append
    )
    assert not failures, "".join(failures)
