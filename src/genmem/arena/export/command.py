"""`genmem arena export`: what it does and prints."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.export.export import ExportSummary, export
from genmem.arena.export.results_csv import FILE
from genmem.errors import InputError, UsageError
from genmem.formatting import count as counted


def export_by_slug(
    slug: str, out: Path, *, private: bool, names: bool, agreed: Path | None
) -> Iterator[str]:
    """Export a competition and yield the lines to print.

    Args:
        slug: of the competition.
        out: the folder to create.
        private: include the private split even if its leaderboard is hidden.
        names: include names of people and teams and what they wrote.
        agreed: a file with the e-mail addresses of people who agreed to be named, one per line.

    Raises:
        UsageError: there is no such competition, or `out` cannot be created.
        InputError: `agreed` cannot be read.
    """
    competition = Competition.objects.filter(slug=slug).first()
    if competition is None:
        raise _unknown(slug)
    addresses = _addresses(agreed) if agreed else set()
    summary = export(competition, out, private=private, names=names, agreed=addresses)
    record(
        competition,
        actor=None,
        action="export",
        subject=str(out),
        after={"private": summary.private, "names": names},
    )
    for name, count in summary.rows.items():
        yield f"{name + '.parquet':<28} {counted(count, 'row'):>14}"
    yield f"{FILE:<28} {counted(summary.results.rows, 'row'):>14}"
    if not summary.private:
        yield "The private split is left out, since its leaderboard is hidden (--private adds it)."
    if names:
        yield (
            "This export holds names and free text written by participants. Do not publish it "
            "without consent."
        )
    yield f"Exported to {out}; {out / 'DATASHEET.md'} explains the files."
    if summary.results.honest and summary.results.cheating:
        yield f"To analyze it, run there: {summary.results.command}"
    else:
        yield _cannot_analyze(summary)


def _cannot_analyze(summary: ExportSummary) -> str:
    """Why `genmem analyze` cannot use the table."""
    if not summary.private:
        return (
            f"genmem analyze cannot use {FILE} yet: it needs labels, which belong to the private "
            "split (--private, or open the private leaderboard)."
        )
    return (
        f"genmem analyze cannot use {FILE} yet: it needs submissions that two reviewers agree on, "
        f"legitimate ones (there are {summary.results.honest:,}) and copying ones "
        f"({summary.results.cheating:,})."
    )


def _unknown(slug: str) -> UsageError:
    known = list(Competition.objects.order_by("slug").values_list("slug", flat=True))
    similar = difflib.get_close_matches(slug, known, n=1)
    listed = ", ".join(known[:20]) or "none yet"
    hint = f"did you mean {similar[0]}?" if similar else f"known are: {listed}"
    return UsageError(f"there is no competition {slug!r}; {hint}")


def _addresses(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"{path}: expected a list of addresses: {reason.lower()}") from error
    addresses = {line.strip().lower() for line in lines if line.strip()}
    if wrong := next((address for address in sorted(addresses) if "@" not in address), None):
        raise InputError(f"{path}: expected an e-mail address per line, got {wrong!r}")
    return addresses
