"""The analysis' page in a real browser: no complaint, and nothing sticks out on a phone."""

import numpy as np
import pytest

from genmem.calibration import Board, analyze
from genmem.report.competition.page import ANALYSIS, write_analysis

from ..browser import needs_chromium, overflow, visited

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    rng = np.random.default_rng(0)
    lines = ["f,d,labels"]
    for label, low in (("honest", 0.3), ("mgan", 0.1)):
        lines += [f"{100 * d:.4f},{d:.6f},{label}" for d in low + 0.1 * rng.random(30)]
    (folder / "r.csv").write_text("\n".join(lines))
    boards = {name: Board(fd="f", distance="d", tau=0.25) for name in ("first", "second")}
    analysis = analyze(folder / "r.csv", boards=boards, identifier=None, top=10)
    write_analysis(analysis, folder / "out", provenance={"seed": 0})
    return folder / "out" / ANALYSIS.page


def test_the_page_loads_without_a_console_message(page, browser):
    with visited(browser, page) as (opened, complaints):
        assert complaints == []
        assert opened.locator("svg").count() == 9


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out_at_the_side(page, browser, width):
    with visited(browser, page, width=width) as (opened, _):
        assert overflow(opened) <= 0
