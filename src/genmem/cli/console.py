"""Results on the terminal: tables on stdout, notes on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genmem.formatting import count, number, printable
from genmem.report import score_table
from genmem.report.common.terminal import new_table
from genmem.report.common.verdict import render_verdict
from genmem.results import Score, Verdict

if TYPE_CHECKING:
    from genmem.auditing import Audit, Power

COPIED_SHOWN = 10
"""Copied training images in the terminal's table; the output files hold all."""


def print_table(table: Table, *, piped_width: int = 100) -> None:
    """Print a table as wide as the terminal, or `piped_width` columns wide in a pipe or file."""
    width = None if sys.stdout.isatty() else piped_width
    console = Console(width=width, highlight=False)
    # Rich exits the process on a broken pipe; a plain write leaves that to `app.run`.
    with console.capture() as text:
        console.print(table)
    sys.stdout.write(text.get())


def print_notes(notes: Iterable[str]) -> None:
    """Print each note on stderr, on a line of its own."""
    for note in notes:
        print("note:", printable(note), file=sys.stderr)


def print_score(score: Score) -> None:
    """Print the verdict and the table of metrics, then the evidence behind the verdict."""
    print_table(score_table(score))
    for reason in render_verdict(score.verdict).reasons:
        print("-", reason)


def print_score_notes(score: Score) -> None:
    """Print the notes of a score, then those of its metrics.

    A note that several metrics share is printed once, with their names.
    """
    print_notes(score.notes)
    _print_metric_notes(score)
    for name, space in score.spaces.items():
        print_notes(f"in {name}: {note}" for note in space.notes)
        _print_metric_notes(space, where=f"in {name}: ")


def _print_metric_notes(score: Score, *, where: str = "") -> None:
    metrics: dict[str, list[str]] = {}
    for name, result in score.metrics.items():
        if name == "fd" and "fid" in score.metrics:
            continue  # the same number; the table shows it as FID
        for note in result.notes:
            metrics.setdefault(note, []).append(name)
    print_notes(f"{where}{', '.join(names)}: {note}" for note, names in metrics.items())


def print_audit(audit: Audit) -> None:
    """Print how many images are flagged, the estimated share of copies, and the most copied."""
    from genmem.auditing import copied_images
    from genmem.report.audit.text import estimated_share, judged, verdict, why_incomparable
    from genmem.report.common.verdict import which_are_copies

    banner = verdict(audit)
    print(f"{banner.word}: {banner.sentence}")
    for reason in banner.reasons:
        print("-", reason)
    comparable = judged(audit).comparable
    for sentence in filter(None, (estimated_share(audit), why_incomparable(audit))):
        print(sentence)
    if audit.power:
        print_power(audit.power, judged(audit))
    copied_images = copied_images(audit)
    if copied_images:
        number_of = f"{len(copied_images):,}"
        print(
            f"Training images copied: {number_of}. The most copied:"
            if comparable
            else f"Training images that unusually many lie close to: {number_of}. "
            f"{which_are_copies(judged(audit))}"
        )
        table = new_table(
            *(
                "copies" if comparable else "close",
                "training image",
                "closest copy",
                "augmentation",
                "space",
                "distance",
            ),
            numbers=("copies", "close", "distance"),
        )
        for copied_image in copied_images[:COPIED_SHOWN]:
            closest = copied_image.generated[0]
            space, train, augmentation, distance = audit.nearest(closest)
            table.add_row(
                f"{len(copied_image.generated):,}",
                Text(printable(str(audit.train_ids[train]))),
                Text(printable(str(audit.generated_ids[closest]))),
                augmentation.phrase or "none",
                space.name,
                number(distance),
            )
        print_table(table)
    print_notes(_audit_notes(audit))


def print_power(power: Power, verdict: Verdict) -> None:
    """Print what an audit would have flagged of planted copies."""
    from genmem.report.audit.power import power_sentences, power_table

    content = power_table(power)
    table = new_table(*content.columns)
    print(f"{content.caption}:")
    for row in content.rows:
        table.add_row(*row)
    print_table(table)
    print(*power_sentences(power, verdict), sep="\n")


def _audit_notes(audit: Audit) -> Iterable[str]:
    from genmem.report.audit.text import kinds_of_pairs, notes, sets_of

    for duplicates in audit.duplicates:
        if pairs := len(duplicates.first):
            dropped = f"; {duplicates.dropped:,} left out" if duplicates.dropped else ""
            yield (
                f"{count(pairs, 'pair')} of much alike {sets_of(duplicates)}, in "
                f"{duplicates.space}: {kinds_of_pairs(duplicates)}{dropped}."
            )
    yield from notes(audit)
