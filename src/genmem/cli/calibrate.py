"""`genmem calibrate`: the threshold τ of a feature space, from honest and cheating entries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genmem.cli.options import (
    Backbones,
    CheatingLabels,
    Device,
    DryRun,
    HonestLabels,
    Json,
    LabelColumn,
    OptionalTrain,
    Preprocess,
    Ray,
    Seed,
    SkipBroken,
    Weights,
    Workers,
    option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from genmem.calibration import Calibration, Criterion, Margins
    from genmem.calibration.from_images import SetDistances
    from genmem.results import Json as JsonValue

FORM = "SOURCE=LABEL"

CRITERIA: dict[str, Criterion] = {
    "false-penalty": "false_penalty",
    "error": "error",
    "balanced-error": "balanced_error",
}
"""The criteria in Python, by their name on the command line."""


Entries = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE=LABEL... | TABLE.csv",
        help="Labelled sets of generated images or features, or one table (.csv, .tsv) of "
        "distances and labels.",
    ),
]
DistanceColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--distance",
        metavar="[BACKBONE=]COLUMN",
        help="Column of distances in TABLE.csv. Repeat for each feature space.",
        show_default="distance",
    ),
]
CriterionOption = Annotated[
    Literal["false-penalty", "error", "balanced-error"],
    typer.Option("--criterion", help="Error rate to minimize when choosing τ."),
]
FalsePenaltyRate = Annotated[
    float,
    typer.Option(metavar="SHARE", help="Share of honest entries that may be penalized, in [0, 1)."),
]


def calibrate(
    entries: Entries,
    train: OptionalTrain = None,
    backbone: Backbones = "inception",
    distance: DistanceColumns = None,
    label: LabelColumn = "labels",
    identifier: Annotated[str | None, option("--id", metavar="COLUMN")] = None,
    honest: HonestLabels = None,
    cheating: CheatingLabels = None,
    criterion: CriterionOption = "false-penalty",
    false_penalty_rate: FalsePenaltyRate = 0.0,
    seed: Seed = 0,
    json: Json = None,
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
    ray: Ray = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
) -> None:
    """Find the threshold τ that separates copying generators from honest ones.

    Each SOURCE is the output of one generator, and LABEL says whether that generator is honest. τ
    is a threshold on the mean distance of an output to the training set. `genmem score --tau` reads
    the JSON file.
    """
    from genmem.calibration import calibrate_table
    from genmem.cli.parsing import parse_backbones, parse_labels, split_names
    from genmem.progress import progress_on_stderr

    labels, chosen = parse_labels(honest, cheating), CRITERIA[criterion]
    table, sets = _parse_entries(entries)
    _check_files(table, sets, json, {"--train": train, "--weights": weights})
    if table is not None:
        _check_table_options(train)
        calibrations = calibrate_table(
            table,
            distances=_parse_columns(distance or ["distance"]),
            label=label,
            identifier=identifier,
            labels=labels,
            criterion=chosen,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
        )
        return _write(calibrations, {}, json)
    _check_set_options(train, distance, identifier)
    from genmem.calibration.from_images import ExtractOptions, calibrate_sets
    from genmem.cli.workers import on_workers
    from genmem.scoring.cost import calibration_pairs

    options = ExtractOptions(weights=weights, device=device, skip_broken=skip_broken)
    networks = parse_backbones(split_names(backbone), preprocess)
    with (
        progress_on_stderr() as progress,
        on_workers(
            ray,
            workers,
            dry_run,
            sources={"train": train, **{source: source for source in sets}},
            backbones=networks,
            options=options,
            pairs=calibration_pairs,
            progress=progress,
        ),
    ):
        calibrations, distances = calibrate_sets(
            sets,
            train=train,
            labels=labels,
            backbone=networks,
            criterion=chosen,
            false_penalty_rate=false_penalty_rate,
            seed=seed,
            options=replace(options, progress=progress),
        )
    return _write(calibrations, _sets_as_json(sets, distances), json)


def _parse_entries(entries: list[str]) -> tuple[str | None, dict[str, str]]:
    """A table's file, or None and the label of each set by its source."""
    if len(entries) == 1 and entries[0].lower().endswith((".csv", ".tsv")):
        return entries[0], {}
    return None, _parse_sets(entries)


def _check_files(
    table: str | None, sets: dict[str, str], json: str | None, others: dict[str, str | None]
) -> None:
    """Refuse an output that would replace an input."""
    from genmem.cli.outputs import check_outputs

    named = {f"SOURCE {source}": source for source in sets} if table is None else {"TABLE": table}
    check_outputs({"--json": json}, inputs={**named, **others})


def _check_table_options(train: str | None) -> None:
    from genmem.errors import UsageError

    if train is not None:
        raise UsageError("--train goes with sets of images or features, not with a table.")


def _check_set_options(
    train: str | None, distance: list[str] | None, identifier: str | None
) -> None:
    from genmem.errors import UsageError

    if distance is not None or identifier is not None:
        raise UsageError("--distance and --id name columns of a table, TABLE.csv; got sets.")
    if train is None:
        raise UsageError("--train: sets of images or features need the training set.")


def _write(
    calibrations: Sequence[Calibration], document: dict[str, JsonValue], json: str | None
) -> None:
    """Write the JSON file, and print table and notes."""
    from genmem.cli.console import print_notes, print_table
    from genmem.cli.outputs import STDOUT, write_json

    if json is not None:
        write_json({**_as_json(calibrations), **document}, json)
    if json != STDOUT:
        print_table(_table(calibrations))
    print_notes(
        f"{calibration.space}: {note}" for calibration in calibrations for note in calibration.notes
    )


def _parse_sets(texts: list[str]) -> dict[str, str]:
    """Label by source, split at the last `=`, because a path may contain one.

    Raises:
        UsageError: an argument has no label, or a source is repeated.
    """
    from genmem.errors import UsageError

    labels: dict[str, str] = {}
    for text in texts:
        source, equals, label = text.rpartition("=")
        if not (equals and source):
            raise UsageError(
                f"expected labelled sets, {FORM}, or one table ending in .csv; got {text!r}."
            )
        if source in labels:
            raise UsageError(f"{source} is given twice; give each set once.")
        labels[source] = label.strip()
    return labels


def _parse_columns(texts: list[str]) -> dict[str, str]:
    """Column by feature space; a column without a space names its own."""
    from genmem.cli.parsing import split_pairs

    pairs = [text if "=" in text else f"{text}={text}" for text in texts]
    return split_pairs(pairs, option="--distance", form="[BACKBONE=]COLUMN")


def _as_json(calibrations: Sequence[Calibration]) -> dict[str, JsonValue]:
    import datetime

    from genmem import __version__
    from genmem.cli.tau import KIND

    return {
        "kind": KIND,
        "ranking": [calibration.space for calibration in calibrations],
        "spaces": {calibration.space: calibration.to_dict() for calibration in calibrations},
        "genmem": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _sets_as_json(sets: dict[str, str], distances: Sequence[SetDistances]) -> dict[str, JsonValue]:
    """The training set, and each labelled set with its mean distance in every space."""
    inputs = distances[0].inputs
    return {
        "train": inputs["train"].to_dict(),
        "sets": [
            {
                **inputs[source].to_dict(),
                "label": label,
                "distance": {space.space: space.means[source] for space in distances},
            }
            for source, label in sets.items()
        ],
    }


def _table(calibrations: Sequence[Calibration]) -> Table:
    """The feature spaces as a table, the best first."""
    from rich.text import Text

    from genmem.formatting import number, printable
    from genmem.report.common.terminal import new_table

    table = new_table()
    table.add_column("space", no_wrap=True)
    table.add_column("τ*", justify="right", no_wrap=True)
    for column in ("cheats caught", "honest penalized", "AUC", "d′", "gap/σ"):
        table.add_column(column, justify="right")
    if any(calibration.image_margins for calibration in calibrations):
        table.add_column("AUC of images", justify="right")
    for calibration in calibrations:
        threshold = calibration.thresholds[calibration.chosen]
        images = calibration.image_margins
        cells = (
            f"{threshold.caught:,} of {threshold.cheating:,}",
            f"{threshold.penalized:,} of {threshold.honest:,}",
            *_margins(calibration.margins),
            *((number(images.auc),) if images else ()),
        )
        table.add_row(
            Text(printable(calibration.space), style="bold"),
            Text(f"{_round_down(calibration.tau):.6f}", style="bold"),
            *map(Text, cells),
        )
    return table


def _round_down(tau: float) -> float:
    """τ to six decimals, never rounded up: the next distance may be that of an honest entry."""
    import math

    return math.floor(1e6 * tau) / 1e6


def _margins(margins: Margins) -> list[str]:
    import math

    from genmem.formatting import number

    values = (margins.auc, margins.d_prime, margins.normalized_gap)
    return [number(value) if math.isfinite(value) else "–" for value in values]
