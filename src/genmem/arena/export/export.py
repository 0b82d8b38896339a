"""Export a competition as a folder of files.

    submissions, scores, teams, leaderboards, leaderboard_history, labels, decisions, ratings
                         tables (.parquet)
    results.csv          the scores in force, for `genmem analyze`
    competition.json     settings, splits, rating rounds
    DATASHEET.md         what the files mean, how the data were collected, what is left out
    SHA256SUMS           checksums of the other files

All files show the same moment. The folder is written under a temporary name and renamed at the end,
so it is complete or absent.
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
from genmem.arena.export.schema import Scope, write_parquet
from genmem.arena.export.snapshot import snapshot
from genmem.arena.export.tables import TABLES
from genmem.arena.submissions.fs import sync
from genmem.arena.teams.pseudonyms import Pseudonyms
from genmem.errors import UsageError, os_reason

CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class ExportSummary:
    """What an export holds.

    Attributes:
        rows: number of rows of each table.
        results: what `results.csv` holds.
        private: whether the private split is included.
    """

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
) -> ExportSummary:
    """Export a competition.

    Args:
        competition: which.
        out: the folder to create; it must not exist, or be empty.
        private: include the private split even if its leaderboard is hidden.
        names: include names of people and teams and what they wrote.
        agreed: e-mail addresses of people who agreed to be named.

    Raises:
        UsageError: the folder cannot be created, or is not empty.
    """
    _check(out)
    part = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        part.mkdir()
    except OSError as error:
        raise UsageError(f"cannot create {out}: {os_reason(error)}") from error
    try:
        competition.refresh_from_db()
        agreed = {address.lower() for address in agreed}
        scope = Scope(
            competition=competition,
            pseudonyms=Pseudonyms(competition, names=names, agreed=agreed),
            private=private or competition.private_open,
            names=names,
        )
        with snapshot():
            summary = _write(scope, part)
        _write_checksums(part)
        for path in (*part.iterdir(), part):
            sync(path)
        try:
            part.rename(out)
        except OSError as error:
            raise UsageError(
                f"cannot create {out}: {os_reason(error)}; nothing was written"
            ) from error
        sync(out.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return summary


def _check(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists; expected a new or an empty folder")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"cannot create {out}: there is no folder {out.absolute().parent}")


def _write(scope: Scope, folder: Path) -> ExportSummary:
    included = [table for table in TABLES if scope.private or not table.private]
    rows = {
        table.name: write_parquet(table, scope, folder / f"{table.name}.parquet")
        for table in included
    }
    results = write_results(scope, folder / FILE)
    (folder / "competition.json").write_text(competition_json(scope), encoding="utf-8")
    (folder / "DATASHEET.md").write_text(datasheet(scope, rows, results), encoding="utf-8")
    return ExportSummary(rows=rows, results=results, private=scope.private)


def _write_checksums(folder: Path) -> None:
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.name}\n")
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")
