"""Times, sizes and Markdown as people read them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.core import formatting
from genmem.arena.core.markdown import safe_html

NOW = datetime(2026, 11, 22, 19, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 byte"), (999, "999 bytes"), (2048, "2 KiB"), (8 * 2**30, "8 GiB"),
     (500_000_000, "500 MB"), (12_400, "12.4 kB")],
)  # fmt: skip
def test_sizes_are_words(count, text):
    assert formatting.size(count) == text


@given(st.integers(1, 2**44))
def test_whole_sizes_survive_being_written_and_read(count):
    assert formatting.bytes_from(formatting.size(count * 2**20)) == pytest.approx(
        count * 2**20, rel=0.005
    )


@given(st.integers(1, 10**8))
def test_lengths_of_time_survive_being_written_and_read(seconds):
    assert formatting.seconds_from(formatting.duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "much", "5 apples", "1e9999", "-3 MB", "nan", "1.2.3 MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"expected a size|could not convert"):
        formatting.bytes_from(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [(timedelta(days=12, hours=3), "in 12 days"), (timedelta(hours=30), "in 30 hours"),
     (timedelta(minutes=1), "in 1 minute"), (timedelta(seconds=-5), "5 seconds ago"),
     (timedelta(0), "0 seconds ago")],
)  # fmt: skip
def test_distances_in_time_are_words(length, text):
    assert formatting.relative(NOW + length, NOW) == text


def test_moments_are_in_utc_and_show_seconds_where_they_matter():
    from zoneinfo import ZoneInfo

    assert (
        formatting.moment(NOW.astimezone(ZoneInfo("Asia/Tokyo"))) == "22 November 2026, 19:41 UTC"
    )
    assert formatting.moment(NOW + timedelta(seconds=59)) == "22 November 2026, 19:41:59 UTC"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "N/A"), (float("nan"), "N/A"), (12.3456, "12.346"), (0.12345, "0.1235"),
     (1234.5, "1,234.500"), (4.2e15, "4.200e+15"), (0.0, "0.0000")],
)  # fmt: skip
def test_scores_show_the_digits_that_matter(value, text):
    assert formatting.score(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://example.org/spy.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,hello)",
        "<a href='javascript:alert(1)'>x</a>",
        "<style>*{display:none}</style>",
        '<p style="position:fixed">x</p>',
        "<iframe src='https://example.org'></iframe>",
    ],
)
def test_markdown_can_do_no_harm(text):
    made = safe_html(text)
    for bad in ("<script", "<img", "<style", "<iframe", "<p style", 'href="javascript', "data:"):
        assert bad not in made or f"&lt;{bad[1:]}" in made or "href" not in made


def test_markdown_becomes_what_rules_need_below_the_pages_headings():
    made = safe_html("# Task\n\n**new** [page](https://a.b)\n\n| a |\n|---|\n| b |\n")
    assert "<h3>Task</h3>" in made
    assert "<strong>new</strong>" in made
    assert 'rel="nofollow noopener noreferrer"' in made
    assert "<td>b</td>" in made
