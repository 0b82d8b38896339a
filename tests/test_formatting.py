import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genmem
from genmem.formatting import (
    count,
    duration,
    in_space,
    join_words,
    number,
    percent,
    plain,
    printable,
    set_name,
    share,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.345678, "12.35"),
        (-4.29, "−4.29"),
        (0.1, "0.1"),
        (0.0, "0"),
        (123456.7, "123,457"),
        (0.00001234, "1.2e-05"),
        (float("nan"), "not a number"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_are_short_and_exact_enough(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.00001, "under 0.01 %"), (0.99999, "over 99.99 %")],
)
def test_a_few_are_never_rounded_to_none_nor_nearly_all_to_all(value, text):
    assert share(value) == text


def test_counts_and_durations_read_as_words():
    assert count(1, "image") == "1 image"
    assert count(10_000, "image") == "10,000 images"
    assert duration(0.44) == "0.4 s"
    assert duration(185) == "3 min 5 s"
    assert duration(1512) == "25 min"
    assert duration(7830) == "2 h 10 min"


@given(st.text())
def test_printable_text_has_no_control_character_and_no_line_break(text):
    assert printable(text).isprintable()


def test_terminal_escapes_and_broken_utf8_in_file_names_are_shown_not_sent():
    assert printable("a\x1b[31mb\n\udce9.png") == "a\\x1b[31mb\\n\\udce9.png"


@pytest.mark.parametrize("path", ["/home/ann/models/net.onnx", "C:\\Users\\ann\\net.onnx"])
def test_an_absolute_path_loses_its_folders(path):
    assert plain({"weights": path}) == "weights net.onnx"


def test_sets_and_spaces_have_names_in_sentences():
    assert set_name("test") == "held-out images"
    assert set_name("planted") == "planted copies"
    assert set_name("other.zip") == "other.zip"
    assert in_space("pixels@64") == "in pixels@64"
    assert in_space("features") == "in the given features"


def test_no_module_formats_percentages_by_itself():
    """`formatting.share` and `percent` put a space before the sign."""
    sources = {path: path.read_text() for path in Path(genmem.__file__).parent.rglob("*.py")}
    own = [path for path, text in sources.items() if re.search(r"(?m)^(?!.*>>>).*:\.\d%\}", text)]
    assert len(sources) > 100
    assert not own


def test_lists_and_plurals_read_as_words():
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b"]) == "a and b"
    assert join_words(["a", "b", "c"], last="or") == "a, b or c"
    assert count(1, "entry", "entries") == "1 entry"
    assert count(2, "entry", "entries") == "2 entries"
    assert percent(0.05) == "5 %"
    assert percent(0.999) == "99.9 %"
