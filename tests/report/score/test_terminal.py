import io
from dataclasses import replace

import pytest
from rich.console import Console

from genmem.report import score_table


def shown(score, width=100):
    stream = io.StringIO()
    Console(file=stream, width=width).print(score_table(score))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 100, 160])
def test_every_metric_and_the_verdict_are_in_the_table(make_score, width):
    score = make_score()
    text = shown(score, width)
    assert text.startswith("Copying: ")
    assert all(name in text for name in score.metrics)
    assert "−4.29" in text


def test_intervals_stand_under_their_values(make_score):
    lines = [line.split() for line in shown(make_score(), 120).splitlines()]
    row = next(place for place, line in enumerate(lines) if line[:1] == ["copied_fraction"])
    assert lines[row][1:3] == ["5.0", "%"]
    assert lines[row + 1][:4] == ["4.5", "to", "5.6", "%"]
    row = next(place for place, line in enumerate(lines) if line[:1] == ["fd"])
    assert lines[row + 1][:3] == ["11.9", "to", "12.8"]


def test_names_are_never_taken_for_markup(make_score):
    score = make_score()
    metrics = {"[red]x[/red]": replace(score["fd"], name="[red]x[/red]")}
    assert "[red]x[/red]" in shown(replace(score, metrics=metrics))
