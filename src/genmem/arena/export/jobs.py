"""Releases made from the browser: by a thread, into the storage, their state in the log.

What was asked for, and what came of it, are entries of the log that is only ever added to, so that
every web process sees the same and a restart loses nothing but the thread. The file is a zip that
is written and read in pieces.
"""

from __future__ import annotations

import logging
import secrets
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connections, transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.export.export import export
from genmem.arena.submissions import storage
from genmem.errors import GenmemError

BEGUN, MADE, FAILED = "begin export", "made export", "export failed"
GIVEN_UP = timedelta(hours=2)
"""After this long without a result, the process that made it is taken to be gone."""
_PIECE = 2**18
KEPT = 3
"""Releases of a competition whose files are kept."""

_log = logging.getLogger(__name__)


class ReleaseError(GenmemError):
    """The release cannot be made or fetched; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Making:
    """One release.

    Attributes:
        token: its address.
        state: "making", "made", "failed", or "removed" for one whose file is no longer kept.
        private, names: what is in it.
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


def begin(competition: Competition, *, private: bool, names: bool, by: User | None) -> str:
    """Begin to make a release; its token.

    Raises:
        ReleaseError: another one is being made.
    """
    with transaction.atomic():
        current = Competition.objects.select_for_update().get(pk=competition.pk)
        if any(one.state == "making" for one in makings(current)):
            raise ReleaseError("A release is being made; wait until it is there.")
        token = secrets.token_urlsafe(16)
        wanted = {"private": private or current.private_open, "names": names}
        record(current, actor=by, action=BEGUN, subject=token, after=wanted)
    start(competition.pk, token, private=private, names=names)
    return token


def start(competition: int, token: str, *, private: bool, names: bool) -> None:
    """Make it beside the pages."""
    threading.Thread(
        target=_run, args=(competition, token, private, names), name=f"release {token}", daemon=True
    ).start()


def makings(competition: Competition) -> list[Making]:
    """Every release that was asked for here, newest first."""
    entries = LogEntry.objects.filter(
        competition=competition, action__in=(BEGUN, MADE, FAILED)
    ).select_related("actor")
    ended = {one.subject: one for one in entries if one.action != BEGUN}
    found = [
        _making(one, ended.get(one.subject))
        for one in entries.order_by("-pk")
        if one.action == BEGUN
    ]
    made = [one for one in found if one.state == "made"]
    old = {one.token for one in made[KEPT:]}
    return [_removed(one) if one.token in old else one for one in found]


def fetchable(competition: Competition, token: str) -> Making | None:
    """The release of this token, where its file is kept."""
    known = (one for one in makings(competition) if one.state == "made" and one.token == token)
    found = next(known, None)
    return found if found and storage.exists(_name(competition.pk, token)) else None


def pieces(competition: Competition, token: str) -> Iterator[bytes]:
    """The zip, a piece at a time."""
    with storage.open_read(_name(competition.pk, token)) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def make(competition: Competition, token: str, *, private: bool, names: bool) -> None:
    """Write the release and keep it as a zip; the log says how it went."""
    try:
        with storage.scratch() as folder:
            export(competition, folder / competition.slug, private=private, names=names)
            packed = folder / "release.zip"
            _pack(folder / competition.slug, packed)
            storage.keep(packed, _name(competition.pk, token))
            size = packed.stat().st_size
    except Exception as error:
        _log.exception("a release of %s failed", competition.slug)
        said = str(error) if isinstance(error, GenmemError) else "the server's log says why"
        record(competition, actor=None, action=FAILED, subject=token, after={"message": said})
        return
    record(competition, actor=None, action=MADE, subject=token, after={"size": size})
    for one in makings(competition):
        if one.state == "removed":
            storage.remove(_name(competition.pk, one.token))


def _run(competition: int, token: str, private: bool, names: bool) -> None:
    try:
        make(Competition.objects.get(pk=competition), token, private=private, names=names)
    finally:
        connections.close_all()


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")


def _name(competition: int, token: str) -> str:
    return f"releases/{competition}/{token}.zip"


def _making(begun: LogEntry, ended: LogEntry | None) -> Making:
    wanted, found = begun.after or {}, (ended.after if ended else None) or {}
    state, message = "making", ""
    if ended is not None:
        state = "made" if ended.action == MADE else "failed"
        message = found.get("message", "")
    elif begun.at < clock.now() - GIVEN_UP:
        state, message = "failed", "the server stopped before it was done; make it again"
    return Making(
        token=begun.subject,
        at=begun.at,
        by=begun.actor,
        state=state,
        private=bool(wanted.get("private")),
        names=bool(wanted.get("names")),
        size=int(found.get("size", 0)),
        message=message,
    )


def _removed(one: Making) -> Making:
    return replace(one, state="removed")
