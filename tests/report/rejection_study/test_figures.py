"""The figures of a rejection study: what they show of references, and of a τ = 0 that ended."""

import re

import pytest

from genmem.report.rejection_study.figures import draw_curves, draw_model
from genmem.study_results.rejection import METRICS

from .factories import build_cell, build_results, paired_mean


def cell(tau, c_t, references=(), classes=None, seeds=(0,)):
    return build_cell(
        tau,
        {name: paired_mean(c_t) for name in METRICS},
        {name: paired_mean(c_t - place) for place, name in enumerate(references)},
        classes,
        seeds,
    )


def test_every_reference_has_a_line_of_its_own_however_many_there_are():
    references = [f"set {place}" for place in range(12)]
    cells = [cell(0, -5.0, references), cell(0.1, -3.0, references)]
    drawing = draw_model(build_results(*cells), "sagan", "x", 0)[0]
    text = drawing.svg.decode()
    assert all(f">{name}<" in text for name in references)
    lines = re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="(fill: none; stroke[^"]*)"', text)
    looks = {line for line in lines if "stroke-width: 1.6" in line}
    assert len(looks) == 12


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([cell(0, -5.0), cell(0.1, -3.0)], "sagan: −5 without rejection."),
        ([cell(0, -5.0, seeds=()), cell(0.1, -3.0)], "No run without rejection was evaluated."),
    ],
    ids=["there", "ended early"],
)
def test_without_rejection_is_said_of_tau_0_and_of_no_other(cells, words):
    for drawing in draw_curves(build_results(*cells), "x", 0):
        if drawing.name == "c_t-0":
            assert drawing.description == words


def test_classes_are_drawn_where_tau_0_ended_and_where_a_tau_has_none_measured():
    cells = [
        cell(0, -5.0, classes={"cat": -5.0}, seeds=()),
        cell(0.1, -3.0, classes={"cat": -3.0}),
        cell(0.2, -3.0, classes={"cat": None}),
    ]
    drawings = [
        one for one in draw_model(build_results(*cells), "sagan", "x", 0) if "class" in one.name
    ]
    assert drawings[0].description.startswith("At τ = 0.1 from −3 (cat)")
