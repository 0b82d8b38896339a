"""Times, sizes, durations and scores as text, and back. No Django."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from genmem.formatting import count

_SIZES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_BINARY = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_SPANS = (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def moment(at: datetime, *, seconds: bool | None = None) -> str:
    """Format a date and time in UTC: "22 November 2026, 19:41 UTC".

    Args:
        at: the moment.
        seconds: whether to show seconds; None shows them where they are not 0, as in 23:59:59.
    """
    at = at.astimezone(UTC)
    shown = bool(at.second) if seconds is None else seconds
    clock = f"{at:%H:%M:%S}" if shown else f"{at:%H:%M}"
    return f"{at.day} {at:%B %Y}, {clock} UTC"


def span(length: timedelta) -> str:
    """Format a length of time in its largest unit, rounded down: "12 days", "1 minute"."""
    total = abs(int(length.total_seconds()))
    for word, unit in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if total >= 2 * unit or (total >= unit and word != "day") or unit == 1:
            return count(total // unit, word)
    return ""


def relative(at: datetime, now: datetime) -> str:
    """Format the distance of `at` from `now`: "in 12 days", "3 hours ago"."""
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def size(length: int) -> str:
    """Format a number of bytes: "500 MB", "12.4 kB"; in binary units where exact: "8 GiB"."""
    for unit, factor in _BINARY.items():
        if length >= factor and length % factor == 0:
            return f"{length // factor} {unit}"
    for unit, factor in _SIZES:
        if length >= factor:
            return f"{length / factor:.3g} {unit}"
    return count(length, "byte")


def bytes_from(text: str) -> int:
    """Parse a number of bytes: "500 MB", "8 GiB" or "500000000".

    Raises:
        ValueError: `text` is none of these.
    """
    match = re.fullmatch(r"([\d.,_]{1,20})\s?([A-Za-z]{0,10})", text.strip())
    units = {unit.lower(): factor for unit, factor in (*_SIZES, *_BINARY.items())}
    units |= {"": 1, "b": 1, "byte": 1, "bytes": 1}
    if not match or match[2].lower() not in units:
        raise ValueError("expected a size such as 500 MB or 8 GiB")
    return int(float(re.sub("[,_]", "", match[1])) * units[match[2].lower()])


def duration(seconds: int) -> str:
    """Format seconds in the largest unit that is exact: "9 h", "90 min"."""
    for unit, factor in _SPANS:
        if seconds >= factor and seconds % factor == 0:
            units = seconds // factor
            return count(units, unit) if unit == "day" else f"{units} {unit}"
    return f"{seconds} s"


def seconds_from(text: str) -> int:
    """Parse a number of seconds: "9 h", "90 min", "2 days" or "32400".

    Raises:
        ValueError: `text` is none of these.
    """
    match = re.fullmatch(r"([\d.]{1,20})\s?([A-Za-z]{0,10})", text.strip())
    units = {"": 1, "s": 1, "min": 60, "h": 3600, "hour": 3600, "hours": 3600}
    units |= {"day": 86_400, "days": 86_400, "minutes": 60, "seconds": 1}
    if not match or match[2].lower() not in units:
        raise ValueError("expected a time such as 9 h or 90 min")
    return int(float(match[1]) * units[match[2].lower()])


def score(value: float | None) -> str:
    """Format a score with 3 decimals from 1 up, 4 below 1; "N/A" where there is none."""
    if value is None or math.isnan(value):
        return "N/A"
    if value and (abs(value) >= 1e7 or abs(value) < 1e-4):
        return f"{value:.3e}"
    return f"{value:,.3f}" if abs(value) >= 1 else f"{value:.4f}"
