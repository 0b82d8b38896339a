import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.errors import InputError
from genmem.images import patterns
from genmem.images.patterns import expand_braces, is_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("{a,b}.zip", ["a.zip", "b.zip"]),
        ("{b,a,}.zip", ["b.zip", "a.zip", ".zip"]),
        ("s/{08..11}.tar", ["s/08.tar", "s/09.tar", "s/10.tar", "s/11.tar"]),
        ("{8..10}", ["8", "9", "10"]),
        ("{0..2}{x,y}", ["0x", "0y", "1x", "1y", "2x", "2y"]),
        ("{a}/{}/*.tar", ["{a}/{}/*.tar"]),
        ("{7..7}", ["7"]),
    ],
)
def test_braces_are_expanded_in_order(pattern, texts):
    assert expand_braces(pattern) == texts


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 5))
def test_a_range_is_its_numbers_padded_as_its_ends_are(first, more, width):
    ends = f"{first:0{width}d}", f"{first + more:0{width}d}"
    padded = any(end[0] == "0" and len(end) > 1 for end in ends)
    texts = expand_braces(f"{{{ends[0]}..{ends[1]}}}")
    assert list(map(int, texts)) == list(range(first, first + more + 1))
    assert texts == [text.zfill(len(ends[1]) if padded else 0) for text in texts]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{9..0}.tar", r"the range \{9\.\.0\} counts down\. Write it as \{0\.\.9\}"),
        ("{00100..00010}.tar", r"counts down\. Write it as \{00010\.\.00100\}"),
        ("{a..z}.tar", r"expected a range of numbers, .* got \{a\.\.z\}"),
        ("{0..9..2}.tar", "expected a range of numbers"),
        ("{a,{b,c}}.tar", "no braces within braces"),
        ("{0..99999999999999}.tar", "more than 1,000,000 files"),
        ("{0..9999}{0..9999}.tar", "more than 1,000,000 files"),
    ],
)
def test_braces_that_name_no_files_are_refused_in_one_line(pattern, message):
    with pytest.raises(InputError, match=message) as caught:
        expand_braces(pattern)
    assert "\n" not in str(caught.value)


def test_names_without_pattern_are_none():
    assert not any(map(is_pattern, ["a.tar", "{a}.tar", "{}", "a,b"]))
    assert all(map(is_pattern, ["{a,b}", "{0..1}", "*.tar", "?.tar", "[ab].tar"]))
    assert not patterns.has_wildcards("https://x/a.tar?sig=*", url=True)


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("b/x/0.tar", "b/*/0.tar", True),
        ("b/x/y/0.tar", "b/*/0.tar", False),
        ("b/10.tar", "b/[0-9][0-9].tar", True),
        ("b/10.TAR", "b/*.tar", False),
    ],
)
def test_a_wildcard_ends_at_a_slash(path, pattern, fits):
    assert matches(path, pattern) == fits
