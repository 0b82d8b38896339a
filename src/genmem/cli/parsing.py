"""Command-line texts of labelled data: `A,B,C`, `NAME=VALUE`, and which labels mean what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genmem.errors import UsageError

if TYPE_CHECKING:
    from genmem.calibration import Labels


def split_names(text: str) -> tuple[str, ...]:
    """`a, b,c` as three names; blanks between commas are passed over."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def split_pairs(texts: Sequence[str], *, option: str, form: str) -> dict[str, str]:
    """`NAME=VALUE` texts by name, split at the first `=`.

    Raises:
        UsageError: a text has no `=`, a blank side, or a name met before; the option is named.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option}: expected {form}, got {text!r}.")
        if name in found:
            raise UsageError(f"{option}: {name} is given twice; give it once.")
        found[name] = value
    return found


def parse_labels(honest: str | None, cheating: str | None) -> Labels:
    """The labels as options name them; an option that was not given keeps its default."""
    from genmem.calibration import Labels

    known = Labels()
    return Labels(
        honest=known.honest if honest is None else split_names(honest),
        cheating=known.cheating if cheating is None else split_names(cheating),
    )


def parse_tau(text: str, *, option: str = "--tau") -> float:
    """A threshold given as a number.

    Raises:
        UsageError: it is none in (0, 1].
    """
    try:
        tau = float(text)
    except ValueError:
        tau = float("nan")
    if not 0 < tau <= 1:
        raise UsageError(f"{option}: expected a distance in (0, 1], got {text!r}.")
    return tau
