"""What memorization rejection can be told: its modes and searches, and which values go together.

Nothing here imports torch, so that the command line can check its options at once.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal, get_args

from genmem.errors import UsageError

Mode = Literal["filter", "resample"]
SearchKind = Literal["auto", "exact", "pruned", "faiss"]


def check_mode(mode: str) -> None:
    """Raise UsageError unless `mode` is one of `Mode`."""
    _check_choice("mode", mode, get_args(Mode))


def check_search(kind: str, *, by_class: bool) -> None:
    """Raise UsageError where there is no such search, or it cannot search within classes."""
    _check_choice("search", kind, get_args(SearchKind))
    if by_class and kind in ("pruned", "faiss"):
        raise UsageError(
            f"search={kind!r} searches the images of all classes. Use search='exact' to search "
            "within a class."
        )


def check_tau(tau: Any) -> None:
    """Raise UsageError unless `tau` is "auto" or a distance in [0, 2]."""
    number = isinstance(tau, Real) and not isinstance(tau, bool)
    if tau != "auto" and not (number and 0 <= float(tau) <= 2):
        raise UsageError(f"tau: expected 'auto' or a distance in [0, 2], got {tau!r}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name}: expected one of {', '.join(choices)}, got {value!r}.")
