"""Uploads on their way here, gathered piece by piece in a local file that is the truth about them.

    begin(team, author, …)                     an upload, and its empty file
    reached(upload)                            how many bytes are on disk
    append(upload, offset, pieces)             more of them, as far as the connection carries
    append_checked(upload, offset, pieces, …)  more of them, or none if they arrived damaged
    finish(upload)                             its submission: one, however often this is asked for
    discard(upload)

No lock is held while a connection is waited for, so one that died unnoticed hinders nobody. Each
piece is written only where the file ends: of two that send at once, one writes and one is told.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.core import clock
from genmem.arena.submissions import fs
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.services import (
    SubmissionRefused,
    check_submission_allowed,
    file_name,
    receive,
)
from genmem.arena.submissions.storage import free_bytes, incoming, scratch
from genmem.arena.teams.models import Team
from genmem.errors import GenmemError

FOLDER = "uploads"
"""Below `incoming/`: one file per upload, named by its id."""

KEPT_FOR = timedelta(days=2)
"""How long an upload waits for its next piece."""

OPEN_AT_ONCE = 5
"""Unfinished uploads of one person in one competition; beginning another forgets the oldest."""

_SPARE_BYTES = 2**28
_PIECE = 2**20


class Elsewhere(GenmemError):  # noqa: N818
    """A piece does not begin where the file ends; `offset` is where that is."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"The next piece begins at byte {offset:,}.")
        self.offset = offset


class Damaged(GenmemError):  # noqa: N818
    """A piece does not have the hash that was announced for it."""


class UploadGone(GenmemError):  # noqa: N818
    """The upload was discarded or waited too long."""


def begin(
    team: Team, author: User, *, kind: str, length: int, original_name: str, sha256: str = ""
) -> Upload:
    """Make room for a file of `length` bytes.

    Raises:
        SubmissionRefused: a submission of this size would not be taken now, or the disk is full.
    """
    check_submission_allowed(team, author, kind=kind, size=length)
    if free_bytes() < length + _SPARE_BYTES:
        raise SubmissionRefused(
            "The server's disk is full. Tell the organisers, and try later.", status=507
        )
    for expired in Upload.objects.filter(expires_at__lt=clock.now())[:100]:
        discard(expired)
    mine = Upload.objects.filter(
        author=author, team__competition=team.competition, finished=None
    ).order_by("-created_at")
    for old in mine[OPEN_AT_ONCE - 1 :]:
        discard(old)
    with transaction.atomic():
        upload = Upload.objects.create(
            team=team,
            author=author,
            kind=kind,
            length=length,
            sha256=sha256.strip().lower(),
            original_name=file_name(original_name),
            expires_at=clock.now() + KEPT_FOR,
        )
        path = path_of(upload)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        fs.sync(path.parent)
    return upload


def path_of(upload: Upload) -> Path:
    """The file it is gathered in."""
    return incoming() / FOLDER / str(upload.pk)


def reached(upload: Upload) -> int:
    """How many of its bytes are here, and on disk.

    Raises:
        UploadGone: its file is no more.
    """
    if upload.finished is not None:
        return upload.length
    with _opened(upload) as file:
        os.fsync(file.fileno())
        return _size(file)


def append(upload: Upload, offset: int, pieces: Iterable[bytes]) -> int:
    """Add pieces from `offset` on; they are on disk when this returns.

    Returns:
        How far it got: less than was meant where the pieces stopped early.

    Raises:
        Elsewhere: the file does not end there, or somebody else wrote on meanwhile.
        UploadGone: its file is no more.
    """
    with _opened(upload) as file:
        try:
            for piece in pieces:
                _write(file, offset, piece)
                offset += len(piece)
            if _size(file) != offset:
                raise Elsewhere(_size(file))
        finally:
            os.fsync(file.fileno())
    Upload.objects.filter(pk=upload.pk).update(offset=offset, expires_at=clock.now() + KEPT_FOR)
    return offset


def append_checked(
    upload: Upload, offset: int, pieces: Iterable[bytes], *, algorithm: str, digest: bytes
) -> int:
    """As `append`, once all pieces are here and have this hash together.

    Raises:
        Damaged: they have another; nothing of them is kept.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    with scratch() as folder, (folder / "piece").open("w+b") as spool:
        for piece in pieces:
            found.update(piece)
            spool.write(piece)
        if found.digest() != digest:
            raise Damaged(
                f"The piece arrived damaged: its {algorithm} is not the one that was announced. "
                "Send it again."
            )
        spool.seek(0)
        return append(upload, offset, iter(lambda: spool.read(_PIECE), b""))


def finish(upload: Upload) -> Submission:
    """The submission that a complete upload becomes; the same one each time.

    It counts as received when its last byte was here, also where this is asked for later: after a
    restart, or because the first answer was lost.

    Raises:
        SubmissionRefused: it is not taken. What cannot be mended by waiting is discarded.
        UploadGone: its file is no more.
    """
    if upload.finished is None:
        try:
            with _opened(upload) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _finish_once(upload, _written_at(file))
        except UploadGone:
            if not Upload.objects.filter(pk=upload.pk).exclude(finished=None).exists():
                raise
        upload.refresh_from_db()
    path_of(upload).unlink(missing_ok=True)
    return cast(Submission, upload.finished)


def _finish_once(upload: Upload, last_byte_at: datetime) -> None:
    try:
        upload.refresh_from_db()
    except Upload.DoesNotExist:
        raise UploadGone("This upload is no more; begin anew.") from None
    if upload.finished is None:
        team = upload.team.pk
        try:
            _receive(upload, last_byte_at)
        except SubmissionRefused as refusal:
            if refusal.status == 429:
                raise
            upload.refresh_from_db()
            if upload.team.pk != team:  # merged meanwhile: it is the other team's now
                _receive(upload, last_byte_at)
                return
            discard(upload)
            raise


def discard(upload: Upload) -> None:
    """Forget an upload and its file; a submission it became stays."""
    path = path_of(upload)
    upload.delete()
    path.unlink(missing_ok=True)


def _receive(upload: Upload, received_at: datetime) -> Submission:
    """Received then, or now where the team's day was full then."""

    def at(moment: datetime) -> Submission:
        return receive(
            path_of(upload),
            team=upload.team,
            author=upload.author,
            kind=upload.kind,
            original_name=upload.original_name,
            sha256=upload.sha256,
            received_at=moment,
            upload=upload,
        )

    try:
        return at(received_at)
    except SubmissionRefused as refusal:
        if refusal.status != 429:
            raise
        return at(clock.now())


@contextmanager
def _opened(upload: Upload) -> Iterator[BinaryIO]:
    try:
        file = path_of(upload).open("r+b", buffering=0)
    except FileNotFoundError:
        raise UploadGone("This upload is no more; begin anew.") from None
    with file:
        yield file


def _written_at(file: BinaryIO) -> datetime:
    return min(datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC), clock.now())


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _write(file: BinaryIO, offset: int, piece: bytes) -> None:
    """Add a piece, if the file ends at `offset`; nobody else adds to it meanwhile."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        if _size(file) != offset:
            raise Elsewhere(_size(file))
        rest = memoryview(piece)
        while rest:
            written = os.pwrite(file.fileno(), rest, offset)
            rest, offset = rest[written:], offset + written
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
