"""A competition as a folder of files, whole or not at all.

    submissions, scores, teams, boards, board_history, labels, decisions, ratings   (.parquet)
    results.csv          what `genmem analyze` reads
    competition.json     settings, splits, rating rounds
    DATASHEET.md         what all of it means, how it was collected, what is left out
    SHA256SUMS           of the others

All files show one moment. They are written beside `out`, and get its name when they are on disk.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.competitions.models import Competition
from genmem.arena.export.datasheet import competition_json, datasheet
from genmem.arena.export.results_csv import FILE, Results, write_results
from genmem.arena.export.schema import Scope, write_table
from genmem.arena.export.snapshot import snapshot
from genmem.arena.export.tables import TABLES
from genmem.arena.submissions.fs import sync
from genmem.arena.teams.pseudonyms import Pseudonyms
from genmem.errors import UsageError

SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class Released:
    """What a release holds: rows by table, and what is in `results.csv`."""

    rows: Mapping[str, int]
    results: Results
    private: bool


def export(
    competition: Competition,
    out: Path,
    *,
    private: bool = False,
    names: bool = False,
    agreed: Collection[str] = (),
) -> Released:
    """Write a release of a competition.

    Args:
        competition: which.
        out: the folder to make; it must not be there, or be empty.
        private: whether the private split goes in although its board is not open.
        names: whether people and teams are called by name, and what they wrote goes in.
        agreed: e-mail addresses of people who agreed to be named.

    Raises:
        UsageError: the folder cannot be made, or holds something.
    """
    _check(out)
    part = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        part.mkdir()
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {(error.strerror or '').lower()}") from error
    try:
        competition.refresh_from_db()
        scope = Scope(
            competition=competition,
            pseudonyms=Pseudonyms(competition, names=names, agreed={one.lower() for one in agreed}),
            private=private or competition.private_open,
            names=names,
        )
        with snapshot():
            released = _write(scope, part)
        _write_sums(part)
        for path in (*part.iterdir(), part):
            sync(path)
        try:
            part.rename(out)
        except OSError as error:
            raise UsageError(
                f"{out} cannot be made: {(error.strerror or '').lower()}; nothing was written"
            ) from error
        sync(out.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return released


def _check(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; expected a new or an empty folder")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out} cannot be made: there is no folder {out.absolute().parent}")


def _write(scope: Scope, folder: Path) -> Released:
    rows = {
        table: write_table(table, scope, folder / f"{table.name}.parquet")
        for table in TABLES
        if scope.private or not table.private
    }
    results = write_results(scope, folder / FILE)
    left_out = [table for table in TABLES if table not in rows]
    (folder / "competition.json").write_text(competition_json(scope), encoding="utf-8")
    (folder / "DATASHEET.md").write_text(
        datasheet(scope, rows, results, left_out), encoding="utf-8"
    )
    return Released(
        rows={table.name: count for table, count in rows.items()},
        results=results,
        private=scope.private,
    )


def _write_sums(folder: Path) -> None:
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{found}  {path.name}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
