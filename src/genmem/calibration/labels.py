"""Labels: which entries are honest, which cheating, and which not reviewed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError

NOT_REVIEWED = ""
"""A blank label: the entry was not reviewed, so it is neither honest nor cheating."""


@dataclass(frozen=True)
class Labels:
    """The labels of honest and of cheating entries; others are refused."""

    honest: tuple[str, ...] = ("honest", "non-mem")
    cheating: tuple[str, ...] = ("cheating", "mgan", "sup", "aug", "ae")

    def __post_init__(self) -> None:
        for option, names in (("--honest", self.honest), ("--cheating", self.cheating)):
            if not names or NOT_REVIEWED in names:
                raise UsageError(f"{option}: expected one label or several, A,B,C, got a blank.")
        if both := sorted(set(self.honest) & set(self.cheating)):
            raise UsageError(f"label {both[0]!r} is named as honest and as cheating; choose one.")

    def complaint(self, label: str) -> str | None:
        """What is wrong with `label`; None for a known label or a blank."""
        known = (*self.honest, *self.cheating)
        if label in known or label == NOT_REVIEWED:
            return None
        lower = {name.lower(): name for name in known}
        near = difflib.get_close_matches(label.lower(), lower, n=1)
        meant = f"; did you mean {lower[near[0]]!r}?" if near else "."
        return (
            f"label {label!r} is unknown; expected {', '.join(known)} or a blank (not reviewed)"
            f"{meant} Further labels are named with --honest and --cheating."
        )

    def masks(self, labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """bool [n], bool [n]: which entries are honest and which are cheating."""
        array = np.asarray(labels, dtype=object)
        return np.isin(array, self.honest), np.isin(array, self.cheating)

    def masks_of_both(
        self, labels: Sequence[str], *, where: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """`masks` of a table that must have entries of both groups.

        Args:
            labels: [n], of the entries.
            where: file and column, for the error.

        Raises:
            InputError: a group has no entries.
        """
        masks = self.masks(labels)
        groups = (("honest", self.honest), ("cheating", self.cheating))
        for mask, (name, known) in zip(masks, groups, strict=True):
            if not mask.any():
                raise InputError(
                    f"{where}: expected {name} entries, labelled {' or '.join(known)}, found none."
                )
        return masks
