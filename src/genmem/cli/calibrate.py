"""`genmem calibrate`: the threshold of a feature space, from sets that are known to be copied."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from genmem.calibration import Calibration, Margins
    from genmem.results import Json

FORM = "SOURCE=LABEL"


def calibrate(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE=LABEL... | TABLE.csv",
            help="Labelled sets of images or features, or one table of distances and labels.",
        ),
    ],
    train: Annotated[str | None, typer.Option(help="The training set; for sets.")] = None,
    backbone: Annotated[
        str, typer.Option(metavar="A,B,C", help="Candidate feature spaces; for sets.")
    ] = "inception",
    distance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[BACKBONE=]COLUMN",
            help="A column of distances; once a space; for a table. [default: distance]",
        ),
    ] = None,
    label: Annotated[
        str, typer.Option(metavar="COLUMN", help="The labels; blank = not reviewed; for a table.")
    ] = "labels",
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Unique ids; for a table.")
    ] = None,
    honest: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Labels of honest entries. [default: honest,non-mem]"),
    ] = None,
    cheating: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Labels of cheats. [default: cheating,mgan,sup,aug,ae]"),
    ] = None,
    criterion: Annotated[
        Literal["false-penalty", "error", "balanced-error"],
        typer.Option(help="What τ is chosen for."),
    ] = "false-penalty",
    false_penalty_rate: Annotated[
        float, typer.Option(help="Share of honest entries that may be penalised, in [0, 1).")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the JSON that `genmem score --tau` takes."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The weights file of a single backbone.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network runs.")
    ] = "auto",
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable images.")
    ] = False,
) -> None:
    """Find the distance τ below which a generator is penalised, and how well a space tells.

    Each SOURCE=LABEL is one generator's images; its mean distance to TRAIN is what τ judges.
    """
    from genmem.cli.console import print_wide
    from genmem.cli.outputs import STDOUT, check_outputs, write_json
    from genmem.cli.parsing import parse_labels
    from genmem.errors import UsageError
    from genmem.formatting import printable

    labels = parse_labels(honest, cheating)
    how: dict[str, Any] = {
        "labels": labels,
        "criterion": criterion.replace("-", "_"),
        "false_penalty_rate": false_penalty_rate,
        "seed": seed,
    }
    is_table = len(given) == 1 and given[0].lower().endswith(".csv")
    sources = {} if is_table else _sources(given)
    inputs = {"TABLE": given[0]} if is_table else {f"SOURCE {source}": source for source in sources}
    check_outputs({"--json": json}, inputs={**inputs, "--train": train, "--weights": weights})
    document: dict[str, Json]
    if is_table:
        from genmem.calibration import calibrate_table

        if train is not None:
            raise UsageError("--train goes with sets of images or features, not with a table.")
        found = calibrate_table(
            given[0],
            distances=_columns(distance or ["distance"]),
            label=label,
            identifier=identifier,
            **how,
        )
        document = {}
    else:
        if distance is not None or identifier is not None:
            raise UsageError("--distance and --id name columns of a table, TABLE.csv; got sets.")
        found, document = _from_sets(
            sources,
            train=train,
            backbone=backbone,
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            how=how,
        )
    if json is not None:
        write_json({**_document(found), **document}, json)
    if json != STDOUT:
        print_wide(_shown(found))
    for one in found:
        for note in one.notes:
            print("note:", printable(f"{one.space}: {note}"), file=sys.stderr)


def _from_sets(
    sources: dict[str, str],
    *,
    train: str | None,
    backbone: str,
    weights: str | None,
    device: Any,
    skip_broken: bool,
    how: dict[str, Any],
) -> tuple[Sequence[Calibration], dict[str, Json]]:
    """The calibrations from labelled sets, and what the JSON says of the sets."""
    from genmem.cli.parsing import split_names
    from genmem.cli.progress import progress_on_stderr
    from genmem.errors import UsageError

    if train is None:
        raise UsageError("--train: sets of images or features need the training set beside them.")
    from genmem.calibration.from_images import calibrate_sets

    with progress_on_stderr() as progress:
        found, measured = calibrate_sets(
            sources,
            train=train,
            backbones=split_names(backbone),
            weights=weights,
            device=device,
            skip_broken=skip_broken,
            progress=progress,
            **how,
        )
    inputs = measured[0].inputs
    return found, {
        "train": inputs["train"].to_dict(),
        "sets": [
            {
                **inputs[source].to_dict(),
                "label": label,
                "distance": {one.space: one.means[source] for one in measured},
            }
            for source, label in sources.items()
        ],
    }


def _sources(given: list[str]) -> dict[str, str]:
    """Label by source, split at the last `=` since paths may hold one.

    Raises:
        UsageError: an argument has no label, or a source is given twice.
    """
    from genmem.errors import UsageError

    found: dict[str, str] = {}
    for text in given:
        source, equals, label = text.rpartition("=")
        if not (equals and source):
            raise UsageError(
                f"expected labelled sets, {FORM}, or one table ending in .csv; got {text!r}."
            )
        if source in found:
            raise UsageError(f"{source} is given twice; give each set once.")
        found[source] = label.strip()
    return found


def _columns(texts: list[str]) -> dict[str, str]:
    """Column by space; a column without a name is its own."""
    from genmem.cli.parsing import split_pairs

    named = [text if "=" in text else f"{text}={text}" for text in texts]
    return split_pairs(named, option="--distance", form="[BACKBONE=]COLUMN")


def _document(found: Sequence[Calibration]) -> dict[str, Json]:
    import datetime

    from genmem import __version__
    from genmem.cli.tau import KIND

    return {
        "kind": KIND,
        "ranking": [one.space for one in found],
        "spaces": {one.space: one.to_dict() for one in found},
        "genmem": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _shown(found: Sequence[Calibration]) -> Table:
    """The spaces as a table, the best first."""
    from rich.table import Table
    from rich.text import Text

    from genmem.formatting import number, printable

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("space", no_wrap=True)
    table.add_column("τ*", justify="right", no_wrap=True)
    for column in ("cheats caught", "honest penalised", "AUC", "d′", "gap/σ"):
        table.add_column(column, justify="right")
    if any(one.image_margins for one in found):
        table.add_column("AUC of images", justify="right")
    for one in found:
        chosen = one.thresholds[one.chosen]
        cells = [
            f"{chosen.caught:,} of {chosen.cheating:,}",
            f"{chosen.penalised:,} of {chosen.honest:,}",
            *_margins(one.margins),
        ]
        if one.image_margins:
            cells.append(number(one.image_margins.auc))
        table.add_row(
            Text(printable(one.space), style="bold"),
            Text(f"{_rounded_down(one.tau):.6f}", style="bold"),
            *map(Text, cells),
        )
    return table


def _rounded_down(tau: float) -> float:
    """τ to six decimals; never up, where an honest entry may stand."""
    import math

    return math.floor(1e6 * tau) / 1e6


def _margins(margins: Margins) -> list[str]:
    import math

    from genmem.formatting import number

    values = (margins.auc, margins.d_prime, margins.normalised_gap)
    return [number(value) if math.isfinite(value) else "–" for value in values]
