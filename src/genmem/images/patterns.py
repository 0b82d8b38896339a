"""Patterns that name several files: `{00000..01023}.tar`, `{a,b}.zip`, `data/*.parquet`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from itertools import islice

from genmem.errors import InputError

MAX_FILES = 10**6
"""Files that the braces of one pattern may name."""

_BRACES = re.compile(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}")
_NESTED = re.compile(r"\{[^{}]*\{")
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")
_WILDCARDS = re.compile(r"[*?[]")


def is_pattern(text: str) -> bool:
    """Whether a text has braces to expand, or the wildcards `*`, `?` and `[…]`."""
    return bool(_BRACES.search(text) or _WILDCARDS.search(text))


def has_wildcards(text: str, *, url: bool = False) -> bool:
    """Whether a text without braces matches what exists.

    Args:
        text: the pattern.
        url: it is a URL: `?` begins its query.
    """
    return bool(re.search(r"[*[]", text.split("?")[0]) if url else _WILDCARDS.search(text))


def expand_braces(pattern: str) -> list[str]:
    """The texts that a pattern with braces stands for, in its order; wildcards stay.

    `{a,b}` is each of its items. `{08..11}` is each number of the range, padded with zeros to one
    width if the first or the last is.

    Raises:
        InputError: braces within braces, a range that counts down or is not of numbers, or more
            than MAX_FILES.
    """
    if _NESTED.search(pattern):
        raise InputError(f"{pattern}: expected no braces within braces. Write the names out.")
    texts = [""]
    end = 0
    for match in _BRACES.finditer(pattern):
        options = _options(match[1], pattern)
        if len(texts) * len(options) > MAX_FILES:
            raise InputError(f"{pattern}: its braces name more than {MAX_FILES:,} files.")
        between = pattern[end : match.start()]
        texts = [text + between + option for text in texts for option in options]
        end = match.end()
    return [text + pattern[end:] for text in texts]


def _options(inside: str, pattern: str) -> list[str]:
    if "," in inside:
        return inside.split(",")
    match = _RANGE.fullmatch(inside)
    if not match:
        raise InputError(
            f"{pattern}: expected a range of numbers, such as {{00000..00099}}, got {{{inside}}}."
        )
    first, last = match[1], match[2]
    if int(first) > int(last):
        raise InputError(
            f"{pattern}: the range {{{inside}}} counts down. Write it as {{{last}..{first}}}."
        )
    padded = any(len(number) > 1 and number.startswith("0") for number in (first, last))
    width = max(len(first), len(last)) if padded else 0
    numbers = islice(range(int(first), int(last) + 1), MAX_FILES + 1)
    return [f"{number:0{width}d}" for number in numbers]


def matches(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern, part by part; `*` matches no slash."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
