"""A feature space's calibration from labelled distances, and the ranking of several spaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from genmem.calibration.thresholds import check_distances, threshold
from genmem.errors import InputError, UsageError


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
        false_penalty_rate: share of honest entries that `false_penalty` may penalise, in [0, 1).
        seed: of the bootstrap.

    Raises:
        InputError: a group is empty or a distance is negative or not finite.
        UsageError: the criterion or the rate is none.
    """
    honest, cheating = check_distances(honest, "honest"), check_distances(cheating, "cheating")
    found = margins(honest=honest, cheating=cheating, seed=seed)
    thresholds: dict[Criterion, Threshold] = {
        name: threshold(
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
        margins=found,
        notes=_notes(found, thresholds[criterion].tau),
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
        UsageError: the criterion or the rate is none.
    """
    columns = list(dict.fromkeys(distances.values()))
    table = read_table(path, numbers=columns, label=label, labels=labels, identifier=identifier)
    honest, cheating = labels.masks(table.labels)
    for name, mask, known in (
        ("honest", honest, labels.honest),
        ("cheating", cheating, labels.cheating),
    ):
        if not mask.any():
            raise InputError(
                f"{path}, column {label}: expected {name} entries, labelled "
                f"{' or '.join(known)}, found none."
            )
    found = []
    for space, column in distances.items():
        present = ~table.disqualified[column]
        values = table.numbers[column]
        for name, mask in (("honest", honest), ("cheating", cheating)):
            if not (mask & present).any():
                raise InputError(
                    f"{path}, column {column}: expected distances of {name} entries, but all of "
                    f"them are marked as disqualified ({DISQUALIFIED:.0f})."
                )
        one = calibrate(
            honest=values[honest & present],
            cheating=values[cheating & present],
            space=space,
            criterion=criterion,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
        )
        found.append(_with_notes(one, _left_out(~(honest | cheating), ~present)))
    return ranked(found)


def ranked(found: Sequence[Calibration]) -> list[Calibration]:
    """Calibrations of several spaces, the one that separates best first.

    By AUC, which needs no assumption, and where that is equal (1 on both, as a rule) by d′. Where
    every class has two sets or more, those of the sets decide; otherwise those of the images.
    """
    by_image = any(min(one.margins.honest, one.margins.cheating) < 2 for one in found)

    def key(one: Calibration) -> tuple[float, float]:
        margin = one.image_margins if by_image and one.image_margins else one.margins
        return (-margin.auc, -margin.d_prime if math.isfinite(margin.d_prime) else math.inf)

    return sorted(found, key=key)


def _with_notes(one: Calibration, notes: tuple[str, ...]) -> Calibration:
    return Calibration(
        space=one.space,
        chosen=one.chosen,
        thresholds=one.thresholds,
        margins=one.margins,
        image_margins=one.image_margins,
        notes=(*notes, *one.notes),
    )


def _left_out(blank: Bools, disqualified: Bools) -> tuple[str, ...]:
    notes = []
    if count := int(blank.sum()):
        notes.append(f"{count:,} entries with a blank label (not reviewed) were left out.")
    if count := int((disqualified & ~blank).sum()):
        notes.append(f"{count:,} entries marked as disqualified in this column were left out.")
    return tuple(notes)


def _notes(found: Margins, tau: float) -> tuple[str, ...]:
    notes = []
    if found.auc <= 0.5:
        notes.append(
            "The cheating entries are no closer to the training set than the honest ones "
            f"(AUC {found.auc:.3f}): no threshold separates them; are the labels the right way "
            "round?"
        )
    if found.honest < 20:
        notes.append(
            f"Only {found.honest} honest {'entry' if found.honest == 1 else 'entries'}: a further "
            "honest one may well fall below τ; see expected_false_penalty_rate."
        )
    if not 0 < tau <= 1:
        notes.append(f"τ = {tau:.4g} is not in (0, 1], where MiFID's distances lie.")
    return tuple(notes)
