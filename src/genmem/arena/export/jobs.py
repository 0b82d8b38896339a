"""Exports started from the browser: run in a thread, stored as a zip, their state in the audit log.

Starting and finishing an export are entries of the append-only audit log, so every web process sees
the same state and a restart loses only the thread. The zip is written and read in chunks.
"""

from __future__ import annotations

import logging
import secrets
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connections, transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError
from genmem.arena.export.export import export
from genmem.arena.submissions import storage
from genmem.errors import GenmemError

STARTED, FINISHED, FAILED = "start export", "finish export", "fail export"
TIMEOUT = timedelta(hours=2)
"""An export without a result after this long has failed, since its process is gone."""
MAX_STORED = 3
"""How many finished exports of a competition are stored."""
_CHUNK_BYTES = 2**18

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportJob:
    """One export.

    Attributes:
        token: part of its URL.
        at: when it was started.
        by: who started it.
        state: "running", "finished", "failed", or "removed" (finished and no longer stored).
        private, names: what it includes (see `export`).
        size: of the zip, in bytes.
        message: why it failed.
    """

    token: str
    at: datetime
    by: User | None
    state: str
    private: bool
    names: bool
    size: int = 0
    message: str = ""


def start_export(competition: Competition, *, private: bool, names: bool, by: User | None) -> str:
    """Start an export and return its token.

    Args:
        competition: which.
        private: include the private split even if its leaderboard is hidden.
        names: include names and texts.
        by: who started it.

    Raises:
        RuleError: another export is running.
    """
    with transaction.atomic():
        current = Competition.objects.select_for_update().get(pk=competition.pk)
        if any(job.state == "running" for job in export_jobs(current)):
            raise RuleError("An export is running. Wait until it has finished.")
        token = secrets.token_urlsafe(16)
        options = {"private": private or current.private_open, "names": names}
        record(current, actor=by, action=STARTED, subject=token, after=options)
    start_thread(competition.pk, token, private=private, names=names)
    return token


def start_thread(competition: int, token: str, *, private: bool, names: bool) -> None:
    """Run the export in a thread."""

    def run() -> None:
        try:
            row = Competition.objects.get(pk=competition)
            run_export(row, token, private=private, names=names)
        finally:
            connections.close_all()

    threading.Thread(target=run, name=f"export {token}", daemon=True).start()


def run_export(competition: Competition, token: str, *, private: bool, names: bool) -> None:
    """Write the export, store it as a zip, and record the result in the audit log."""
    try:
        with storage.scratch_folder() as folder:
            export(competition, folder / competition.slug, private=private, names=names)
            path = folder / "export.zip"
            _zip(folder / competition.slug, path)
            storage.store_file(path, _storage_name(competition, token))
            size = path.stat().st_size
    except Exception as error:
        _log.exception("an export of %s failed", competition.slug)
        message = str(error) if isinstance(error, GenmemError) else "see the server's log"
        record(competition, actor=None, action=FAILED, subject=token, after={"message": message})
        return
    record(competition, actor=None, action=FINISHED, subject=token, after={"size": size})
    for job in export_jobs(competition):
        if job.state == "removed":
            storage.remove(_storage_name(competition, job.token))


def export_jobs(competition: Competition) -> list[ExportJob]:
    """All exports of a competition, newest first."""
    entries = (
        LogEntry.objects.filter(competition=competition, action__in=(STARTED, FINISHED, FAILED))
        .select_related("actor")
        .order_by("-pk")
    )
    results = {entry.subject: entry for entry in entries if entry.action != STARTED}
    jobs: list[ExportJob] = []
    stored = 0
    for entry in entries:
        if entry.action == STARTED:
            job = _job(entry, results.get(entry.subject), stored=stored < MAX_STORED)
            stored += job.state == "finished"
            jobs.append(job)
    return jobs


def find_export(competition: Competition, token: str) -> ExportJob | None:
    """The finished export with this token, if its file is stored."""
    for job in export_jobs(competition):
        if job.state == "finished" and job.token == token:
            return job if storage.exists(_storage_name(competition, token)) else None
    return None


def read_chunks(competition: Competition, token: str) -> Iterator[bytes]:
    """The bytes of the zip, in chunks."""
    with storage.open_read(_storage_name(competition, token)) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")


def _storage_name(competition: Competition, token: str) -> str:
    return f"exports/{competition.pk}/{token}.zip"


def _job(started: LogEntry, result: LogEntry | None, *, stored: bool) -> ExportJob:
    options, outcome = started.after or {}, (result.after if result else None) or {}
    state, message = "running", outcome.get("message", "")
    if result is not None and result.action == FAILED:
        state = "failed"
    elif result is not None:
        state = "finished" if stored else "removed"
    elif started.at < clock.now() - TIMEOUT:
        state, message = "failed", "the server stopped before it had finished; start it again"
    return ExportJob(
        token=started.subject,
        at=started.at,
        by=started.actor,
        state=state,
        private=bool(options.get("private")),
        names=bool(options.get("names")),
        size=int(outcome.get("size", 0)),
        message=message,
    )
