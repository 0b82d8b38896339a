"""The report in a real browser: it opens without a complaint and fits a phone."""

import pytest

from genmem.report import write_report

from ..browser import needs_chromium, overflow, visited

pytestmark = needs_chromium


@pytest.fixture
def report(make_score, tmp_path):
    write_report(make_score(), tmp_path / "r.html")
    return tmp_path / "r.html"


def test_the_page_loads_without_a_console_message(report, browser):
    with visited(browser, report) as (page, complaints):
        assert complaints == []
        assert "samples.zip against train.zip" in page.inner_text("h1")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out_at_the_side(report, browser, width):
    with visited(browser, report, width=width) as (page, _):
        assert overflow(page) <= 0
