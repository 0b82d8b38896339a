"""One yardstick of several feature spaces: it holds where it holds in each."""

from __future__ import annotations

from collections.abc import Sequence

from genmem.results import Yardstick

_FILES = "file_properties"
"""The check that looks at stored images, not at a space."""


def merge_yardsticks(yardsticks: Sequence[Yardstick], names: Sequence[str]) -> Yardstick | None:
    """One yardstick for all spaces; None of none.

    Args:
        yardsticks: of the same sets, one a space.
        names: of the spaces.
    """
    if not yardsticks:
        return None
    if len(yardsticks) == 1:
        return yardsticks[0]
    reasons = _distinct([(one.failing, one.reasons) for one in yardsticks], names)
    notes = _distinct([(one.noted, one.notes) for one in yardsticks], names)
    return Yardstick(
        holds=not reasons,
        reasons=tuple(sentence for _, sentence in reasons),
        notes=tuple(sentence for _, sentence in notes),
        failing=tuple(check for check, _ in reasons),
        noted=tuple(check for check, _ in notes),
        checks={
            check if check == _FILES else f"{check} in {name}": result
            for name, one in zip(names, yardsticks, strict=True)
            for check, result in one.checks.items()
        },
    )


def _distinct(
    findings: Sequence[tuple[Sequence[str], Sequence[str]]], names: Sequence[str]
) -> list[tuple[str, str]]:
    """Checks and their sentences, those of a check in the first space that has any."""
    merged: list[tuple[str, str]] = []
    for name, (checks, sentences) in zip(names, findings, strict=True):
        earlier = {check for check, _ in merged}
        for check, sentence in zip(checks, sentences, strict=True):
            if check in earlier:
                continue
            if check not in (_FILES, "repeats"):
                sentence = f"In {name}, {sentence[:1].lower()}{sentence[1:]}"
            merged.append((check, sentence))
    return merged
