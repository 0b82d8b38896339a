"""What `genmem arena export` does and says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.export.export import Released, export
from genmem.arena.export.results_csv import FILE
from genmem.errors import InputError, UsageError
from genmem.formatting import count


def export_by_slug(
    slug: str, out: Path, *, private: bool, names: bool, agreed: Path | None
) -> Iterator[str]:
    """Export a competition; what to tell the person at the keyboard, line by line.

    Raises:
        UsageError: there is no such competition, or `out` cannot be made.
        InputError: the list of people who agreed cannot be read.
    """
    competition = Competition.objects.filter(slug=slug).first()
    if competition is None:
        raise _unknown(slug)
    people = _addresses(agreed) if agreed else set()
    made = export(competition, out, private=private, names=names, agreed=people)
    record(
        competition,
        actor=None,
        action="export",
        subject=str(out),
        after={"private": made.private, "names": names},
    )
    for name, rows in made.rows.items():
        yield f"{name + '.parquet':<22} {count(rows, 'row'):>14}"
    yield f"{FILE:<22} {count(made.results.rows, 'row'):>14}"
    if not made.private:
        yield "The private board is not open: nothing of the private split is in it (--private)."
    if names:
        yield "It holds names and what people wrote: do not publish it without their consent."
    yield f"Exported to {out}; what it means is in {out / 'DATASHEET.md'}."
    if made.results.honest and made.results.cheating:
        yield f"In there: {made.results.command}"
    else:
        yield _why_not(made)


def _why_not(made: Released) -> str:
    """Why `genmem analyze` has nothing to go by."""
    if not made.private:
        return (
            f"genmem analyze cannot use {FILE} yet: it needs labels, which belong to the private "
            "split (--private, or open the board)."
        )
    return (
        f"genmem analyze cannot use {FILE} yet: it needs entries that two reviewers agree on, "
        f"legitimate ones (there are {made.results.honest:,}) and copying ones "
        f"({made.results.cheating:,})."
    )


def _unknown(slug: str) -> UsageError:
    known = list(Competition.objects.order_by("slug").values_list("slug", flat=True))
    near = difflib.get_close_matches(slug, known, n=1)
    listed = ", ".join(known[:20]) or "none yet"
    hint = f"did you mean {near[0]}?" if near else f"there are: {listed}"
    return UsageError(f"there is no competition {slug!r}; {hint}")


def _addresses(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"{path}: expected a list of addresses: {reason.lower()}") from error
    found = {line.strip().lower() for line in lines if line.strip()}
    if wrong := next((one for one in sorted(found) if "@" not in one), None):
        raise InputError(f"{path}: expected an e-mail address on each line, got {wrong!r}")
    return found
