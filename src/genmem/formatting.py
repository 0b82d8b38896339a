"""Numbers, counts and names as text for people: on pages, on the terminal and in messages."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `25 min`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """`value` with up to four significant digits: `12.35`, `0.2187`, `1.2e-07`, `12,346`."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:
        text = f"{value:,.0f}" if size < 1e9 else f"{value:.3e}"
    elif size >= 1e-4:
        text = f"{value:.4g}"
    else:
        text = f"{value:.1e}"
    return text.replace("-", "−", 1) if value < 0 else text


def share(value: float) -> str:
    """A fraction in 0…1 as a percentage that never rounds a few down to none: `0.02 %`."""
    if not math.isfinite(value):
        return number(value)
    percent = 100 * value
    if percent == 0 or percent == 100:
        return f"{percent:.0f} %"
    if percent < 0.01:
        return "under 0.01 %"
    if percent > 99.99:
        return "over 99.99 %"
    return f"{percent:.2f} %" if percent < 1 or percent > 99 else f"{percent:.1f} %"


def share_range(low: float, high: float) -> str:
    """A range of shares as text: `0.85 to 1.5 %`.

    Args:
        low: its lower end, a fraction in 0…1.
        high: its upper end.
    """
    return f"{share(low).removesuffix(' %')} to {share(high)}"


def percent(value: float) -> str:
    """A round share, such as a confidence level: `5 %`, `99.9 %`."""
    return f"{100 * value:.4g} %"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `10,000 images`.

    Args:
        value: how many.
        singular: the word for one.
        plural: the word for several; None: `singular` with an s.
    """
    return f"{value:,} {singular if value == 1 else plural or f'{singular}s'}"


_SETS = {
    "generated": "generated images",
    "train": "training images",
    "test": "held-out images",
    "planted": "planted copies",
}


def set_name(role: str) -> str:
    """A set's name in sentences: `held-out images` of "test"; other roles as they are."""
    return _SETS.get(role, role)


def in_space(name: str) -> str:
    """`in efficientnet-lite0`; `in the given features` where features were given."""
    return "in the given features" if name == "features" else f"in {printable(name)}"


def join_words(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`.

    Args:
        words: at least one.
        last: the word before the last one: "and", "or".
    """
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `did you mean address?`, or `known are name, address` where no name is similar."""
    similar = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {similar[0]}?" if similar else f"known are {', '.join(known)}"


def capitalize(sentence: str) -> str:
    """`sentence` with its first letter large and all others as they are."""
    return sentence[:1].upper() + sentence[1:]


def printable(text: str) -> str:
    """`text` on one line, with control and other unprintable characters escaped.

    File names are other people's text: they may hold line breaks, terminal escape codes or bytes
    that are not UTF-8. None of these may reach a terminal or a page.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def plain(value: Any) -> str:
    """A provenance value as text: a path loses its folders, a mapping becomes `a 1 · b 2`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return " · ".join(f"{plain(key)} {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return without_folders(printable(str(value)))


def without_folders(text: str) -> str:
    """The last part of an absolute path; any other text as it is."""
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute():
            return kind(text).name or "/"
    return text
