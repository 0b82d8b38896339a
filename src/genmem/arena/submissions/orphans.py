"""Clearing up: what was left where a process was killed between one step and the next."""

from __future__ import annotations

import logging
import shutil
import uuid
from datetime import UTC, datetime, timedelta

from genmem.arena.core import clock
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.storage import incoming, listing, remove
from genmem.arena.submissions.uploads import FOLDER, discard

_log = logging.getLogger(__name__)

_PASSING = timedelta(days=3)
"""What only passes through `incoming/` and is older than this was left behind."""


def remove_orphans(older_than: timedelta) -> list[str]:
    """Remove uploads that expired, and files that no row names.

    Args:
        older_than: a kept file's age; it is there for a moment before the row that names it.

    Returns:
        The names of the kept files that were removed.
    """
    now = clock.now()
    for upload in Upload.objects.filter(expires_at__lt=now):
        discard(upload)
    _clear_incoming(now)
    old = [name for name, at in listing("submissions/") if now - at > older_than]
    named = set(Submission.objects.values_list("file", flat=True)) if old else set()
    orphans = [name for name in old if name not in named]
    for name in orphans:
        _log.warning("removed %s: no submission names it", name)
        remove(name)
    return orphans


def _clear_incoming(now: datetime) -> None:
    uploads = incoming() / FOLDER
    for path in incoming().iterdir() if incoming().is_dir() else ():
        if path != uploads and now - _written(path.stat().st_mtime) > _PASSING:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for path in uploads.iterdir() if uploads.is_dir() else ():
        if now - _written(path.stat().st_mtime) > _PASSING and not _wanted(path.name):
            path.unlink(missing_ok=True)


def _wanted(name: str) -> bool:
    try:
        return Upload.objects.filter(pk=uuid.UUID(name), finished=None).exists()
    except ValueError:
        return False


def _written(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
