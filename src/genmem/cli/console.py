"""What a score looks like on the terminal: the table on stdout, the notes on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genmem.formatting import count, number, printable, share
from genmem.report import score_table
from genmem.results import Score

if TYPE_CHECKING:
    from genmem.auditing import Audit

COPIED_SHOWN = 10
"""Copied training images that are named on the terminal; the tables hold all."""


def print_wide(table: Table, *, piped: int = 100) -> None:
    """Print a table as wide as the terminal; `piped` columns wide where stdout is none."""
    width = None if sys.stdout.isatty() else piped
    console = Console(width=width, highlight=False)
    # Rich ends the program itself when nobody reads; a plain write leaves that to `app.run`.
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write(drawn.get())


def print_table(score: Score) -> None:
    """The verdict and the numbers."""
    print_wide(score_table(score))


def print_notes(score: Score) -> None:
    """What the reader must know beside the numbers: of the whole score, then of its metrics.

    A sentence that several metrics share is printed once, with their names.
    """
    for note in score.notes:
        print("note:", printable(note), file=sys.stderr)
    named: dict[str, list[str]] = {}
    for name, result in score.metrics.items():
        if name == "fd" and "fid" in score.metrics:
            continue  # the same number; the table shows it as FID
        for note in result.notes:
            named.setdefault(note, []).append(name)
    for note, names in named.items():
        print(f"note: {', '.join(names)}:", printable(note), file=sys.stderr)


def print_audit(audit: Audit) -> None:
    """How many images are flagged, the estimated share of copies, and what is copied most."""
    from genmem.auditing import copied

    flagged, images = int(audit.flagged.sum()), len(audit.flagged)
    print(
        f"{flagged:,} of {images:,} generated {'image' if images == 1 else 'images'} "
        f"{'is' if flagged == 1 else 'are'} flagged as "
        f"{'a copy' if flagged == 1 else 'copies'}, at a false-discovery rate of "
        f"{share(audit.level)}."
    )
    fraction = audit.copied_fraction
    if fraction is not None:
        between = ""
        if fraction.interval is not None:
            low, high = share(fraction.interval.low), share(fraction.interval.high)
            between = f" ({low} to {high}, {fraction.interval.level:.0%} interval)"
        print(f"Estimated share of copies: {share(fraction.value)}{between}.")
    found = copied(audit)
    if found:
        print(f"Training images copied: {len(found):,}. The most copied:")
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in (
        "copies",
        "training image",
        "closest copy",
        "form",
        "in",
        "distance",
    ):
        table.add_column(name, justify="right" if name in ("copies", "distance") else "left")
    for one in found[:COPIED_SHOWN]:
        space, train, form, distance = audit.nearest(one.generated[0])
        table.add_row(
            f"{len(one.generated):,}",
            Text(printable(str(audit.train_ids[train]))),
            Text(printable(str(audit.generated_ids[one.generated[0]]))),
            form.phrase or "as it is",
            space.name,
            number(distance),
        )
    if found:
        print_wide(table)
    for one in audit.duplicates:
        if pairs := len(one.first):
            dropped = f"; {one.dropped:,} left out" if one.dropped else ""
            print(
                f"note: {count(pairs, 'near-duplicate')} between {one.between} "
                f"({int(one.exact.sum()):,} exact), in {one.space}{dropped}.",
                file=sys.stderr,
            )
    notes = [*audit.notes, *(fraction.notes if fraction is not None else ())]
    for note in notes:
        print("note:", printable(note), file=sys.stderr)
