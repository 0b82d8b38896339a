"""Remove files that a killed process left behind."""

from __future__ import annotations

import logging
import shutil
import uuid
from datetime import UTC, datetime, timedelta

from genmem.arena.core import clock
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.storage import incoming_folder, list_files, remove
from genmem.arena.submissions.uploads import FOLDER, discard

_log = logging.getLogger(__name__)

_MAX_AGE = timedelta(days=3)
"""Temporary files in `incoming/` older than this were left behind."""


def remove_orphans(older_than: timedelta) -> list[str]:
    """Remove expired uploads, and stored files that no row names.

    Args:
        older_than: minimal age of a stored file; a new file exists shortly before its row.

    Returns:
        The names of the stored files that were removed.
    """
    now = clock.now()
    for upload in Upload.objects.filter(expires_at__lt=now):
        discard(upload)
    _remove_old_temporaries(now)
    old = [name for name, at in list_files("submissions/") if now - at > older_than]
    named = set(Submission.objects.values_list("file", flat=True)) if old else set()
    orphans = [name for name in old if name not in named]
    for name in orphans:
        _log.warning("removed %s: no submission refers to it", name)
        remove(name)
    return orphans


def _remove_old_temporaries(now: datetime) -> None:
    uploads = incoming_folder() / FOLDER
    for path in incoming_folder().iterdir() if incoming_folder().is_dir() else ():
        if path != uploads and now - _utc(path.stat().st_mtime) > _MAX_AGE:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for path in uploads.iterdir() if uploads.is_dir() else ():
        if now - _utc(path.stat().st_mtime) > _MAX_AGE and not _is_unfinished(path.name):
            path.unlink(missing_ok=True)


def _is_unfinished(name: str) -> bool:
    try:
        return Upload.objects.filter(pk=uuid.UUID(name), finished=None).exists()
    except ValueError:
        return False


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
