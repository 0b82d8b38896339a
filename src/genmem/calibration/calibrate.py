"""A feature space's calibration from labelled distances, and the ranking of several spaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from genmem.calibration.labels import Labels
from genmem.calibration.margins import margins
from genmem.calibration.results import (
    CRITERIA,
    Bools,
    Calibration,
    Criterion,
    Floats,
    Margins,
    Threshold,
)
from genmem.calibration.tables import DISQUALIFIED, read_table
from genmem.calibration.thresholds import check_distances, choose_threshold
from genmem.errors import InputError, UsageError
from genmem.formatting import count


def calibrate(
    *,
    honest: Floats,
    cheating: Floats,
    space: str,
    criterion: Criterion = "false_penalty",
    false_penalty_rate: float = 0.0,
    seed: int = 0,
) -> Calibration:
    """The thresholds and margins of one feature space.

    Args:
        honest: memorization distances of honest entries, float [n]: a mean over a set each,
            since that is what MiFID compares with τ.
        cheating: those of cheating entries, float [m].
        space: the backbone's name.
        criterion: which threshold is the calibration's `tau`.
        false_penalty_rate: share of honest entries that `false_penalty` may penalize, in [0, 1).
        seed: of the bootstrap.

    Raises:
        InputError: a group is empty or a distance is negative or not finite.
        UsageError: the criterion is unknown or the rate out of range.

    Example:
        >>> import numpy as np
        >>> from genmem.calibration import calibrate
        >>> honest, cheating = np.array([0.30, 0.35, 0.4]), np.array([0.05, 0.1])
        >>> result = calibrate(honest=honest, cheating=cheating, space="inception")
        >>> result.tau, result.margins.auc
        (0.3, 1.0)
    """
    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    separation = margins(honest=honest, cheating=cheating, seed=seed)
    thresholds: dict[Criterion, Threshold] = {
        name: choose_threshold(
            honest=honest,
            cheating=cheating,
            criterion=name,
            false_penalty_rate=false_penalty_rate,
        )
        for name in CRITERIA
    }
    if criterion not in thresholds:
        raise UsageError(f"criterion: expected {', '.join(CRITERIA)}, got {criterion!r}.")
    return Calibration(
        space=space,
        chosen=criterion,
        thresholds=thresholds,
        margins=separation,
        notes=_notes(separation, thresholds[criterion].tau),
    )


def calibrate_table(
    path: str | Path,
    *,
    distances: dict[str, str],
    label: str,
    labels: Labels,
    identifier: str | None = None,
    criterion: Criterion = "false_penalty",
    false_penalty_rate: float = 0.0,
    seed: int = 0,
) -> list[Calibration]:
    """`calibrate` for each of a table's distance columns, best space first.

    Entries with a blank label, or marked as disqualified where their distance should be, are
    left out and counted in the notes.

    Args:
        path: a CSV file, see `read_table`.
        distances: column of memorization distances, by the space's name.
        label: the column of labels.
        labels: which labels are honest and which cheating.
        identifier: the column of unique ids, if there is one.
        criterion: as in `calibrate`.
        false_penalty_rate: as in `calibrate`.
        seed: as in `calibrate`.

    Raises:
        InputError: the table cannot be used; the row is named.
        UsageError: the criterion is unknown or the rate out of range.
    """
    columns = list(dict.fromkeys(distances.values()))
    table = read_table(path, numbers=columns, label=label, labels=labels, identifier=identifier)
    honest, cheating = labels.masks_of_both(table.labels, where=f"{path}, column {label}")
    calibrations = []
    for space, column in distances.items():
        present = ~table.disqualified[column]
        values = table.numbers[column]
        for name, mask in (("honest", honest), ("cheating", cheating)):
            if not (mask & present).any():
                raise InputError(
                    f"{path}, column {column}: expected distances of {name} entries, but all of "
                    f"them are marked as disqualified ({DISQUALIFIED:.0f})."
                )
        calibration = calibrate(
            honest=values[honest & present],
            cheating=values[cheating & present],
            space=space,
            criterion=criterion,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
        )
        notes = _left_out(~(honest | cheating), ~present)
        calibrations.append(replace(calibration, notes=(*notes, *calibration.notes)))
    return rank_spaces(calibrations)


def rank_spaces(calibrations: Sequence[Calibration]) -> list[Calibration]:
    """Calibrations of several spaces, the one that separates best first.

    By AUC, which needs no assumption, and where that is equal (1 on both, as a rule) by d′. Where
    every class has two sets or more, the margins of the sets decide; otherwise those of the images.
    """
    by_image = any(
        min(calibration.margins.honest, calibration.margins.cheating) < 2
        for calibration in calibrations
    )

    def key(calibration: Calibration) -> tuple[float, float]:
        margin = (
            calibration.image_margins
            if by_image and calibration.image_margins
            else calibration.margins
        )
        return (-margin.auc, -margin.d_prime if math.isfinite(margin.d_prime) else math.inf)

    return sorted(calibrations, key=key)


def _left_out(blank: Bools, disqualified: Bools) -> tuple[str, ...]:
    notes = []
    if number := int(blank.sum()):
        notes.append(f"{number:,} entries with a blank label (not reviewed) were left out.")
    if number := int((disqualified & ~blank).sum()):
        notes.append(f"{number:,} entries marked as disqualified in this column were left out.")
    return tuple(notes)


def _notes(separation: Margins, tau: float) -> tuple[str, ...]:
    notes = []
    if separation.auc <= 0.5:
        notes.append(
            "The cheating entries are no closer to the training set than the honest ones "
            f"(AUC {separation.auc:.3f}), so no threshold separates them. Check that the labels "
            "are not swapped."
        )
    if separation.honest < 20:
        notes.append(
            f"Only {count(separation.honest, 'honest entry', 'honest entries')}: a further honest "
            "entry may well fall below τ; see expected_false_penalty_rate."
        )
    if not 0 < tau <= 1:
        notes.append(f"τ = {tau:.4g} is not in (0, 1], where MiFID's distances lie.")
    return tuple(notes)
