"""Unfinished uploads, collected in one local file each. The file is the truth about an upload.

    begin(team, author, …)                     create an upload and its empty file
    received_bytes(upload)                     number of bytes on disk
    append(upload, offset, chunks)             add bytes, as far as the connection carries
    append_checked(upload, offset, chunks, …)  add bytes only if their checksum matches
    finish(upload)                             turn it into a submission: one, however often called
    discard(upload)                            delete it and its file

No lock is held while waiting for a connection, so a connection that died unnoticed blocks nobody. A
chunk is written only at the end of the file: of two senders at once, one writes, the other gets
OffsetConflict.
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
from genmem.arena.submissions.exceptions import (
    ChecksumMismatch,
    OffsetConflict,
    SubmissionRefused,
    UploadGone,
)
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.services import check_submission_allowed, file_name, receive
from genmem.arena.submissions.storage import free_bytes, incoming_folder, scratch_folder
from genmem.arena.teams.models import Team

FOLDER = "uploads"
"""Below `incoming/`: one file per upload, named by its id."""

KEPT_FOR = timedelta(days=2)
"""An upload expires when no chunk arrives for this long."""

OPEN_AT_ONCE = 5
"""Unfinished uploads per user and competition; beginning another discards the oldest."""

_SPARE_BYTES = 2**28
_CHUNK = 2**20


def begin(
    team: Team, author: User, *, kind: str, length: int, original_name: str, sha256: str = ""
) -> Upload:
    """Create an upload with an empty file.

    Args:
        team: whose submission it will be.
        author: the member who uploads.
        kind: "images" or "code".
        length: size of the whole file, in bytes.
        original_name: file name on the author's machine.
        sha256: announced hash of the whole file, in hexadecimal; "" checks nothing.

    Raises:
        SubmissionRefused: a submission of this size is not allowed now, or the disk is full.
    """
    check_submission_allowed(team, author, kind=kind, size=length)
    if free_bytes() < length + _SPARE_BYTES:
        message = "The server's disk is full. Tell the organizers, and try again later."
        raise SubmissionRefused(message, status=507)
    for expired in Upload.objects.filter(expires_at__lt=clock.now())[:100]:
        discard(expired)
    unfinished = Upload.objects.filter(
        author=author, team__competition=team.competition, finished=None
    ).order_by("-created_at")
    for old in unfinished[OPEN_AT_ONCE - 1 :]:
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
    """Return the path of the upload's file."""
    return incoming_folder() / FOLDER / str(upload.pk)


def received_bytes(upload: Upload) -> int:
    """Return how many bytes are safely on disk.

    Raises:
        UploadGone: the file no longer exists.
    """
    if upload.finished is not None:
        return upload.length
    with _opened(upload) as file:
        os.fsync(file.fileno())
        return _size(file)


def append(upload: Upload, offset: int, chunks: Iterable[bytes]) -> int:
    """Append chunks at `offset`; they are on disk when this returns.

    Args:
        upload: the upload.
        offset: current size of its file, in bytes.
        chunks: the bytes; may end early where the connection breaks.

    Returns:
        The new size of the file, in bytes.

    Raises:
        OffsetConflict: the file does not end at `offset`, or somebody else wrote meanwhile.
        UploadGone: the file no longer exists.
    """
    with _opened(upload) as file:
        try:
            for chunk in chunks:
                _write(file, offset, chunk)
                offset += len(chunk)
            if _size(file) != offset:
                raise OffsetConflict(_size(file))
        finally:
            os.fsync(file.fileno())
    Upload.objects.filter(pk=upload.pk).update(offset=offset, expires_at=clock.now() + KEPT_FOR)
    return offset


def append_checked(
    upload: Upload, offset: int, chunks: Iterable[bytes], *, algorithm: str, digest: bytes
) -> int:
    """Append as `append` does, once all chunks arrived and their checksum matches.

    Args:
        upload: the upload.
        offset: current size of its file, in bytes.
        chunks: the bytes.
        algorithm: a name that hashlib knows.
        digest: announced hash of all chunks together.

    Raises:
        ChecksumMismatch: the hash differs; nothing is written.
    """
    actual = hashlib.new(algorithm, usedforsecurity=False)
    with scratch_folder() as folder, (folder / "chunk").open("w+b") as spool:
        for chunk in chunks:
            actual.update(chunk)
            spool.write(chunk)
        if actual.digest() != digest:
            raise ChecksumMismatch(algorithm)
        spool.seek(0)
        return append(upload, offset, iter(lambda: spool.read(_CHUNK), b""))


def finish(upload: Upload) -> Submission:
    """Return the submission that a complete upload becomes; the same one on each call.

    It counts as received when its last byte was written, even where this is called later: after a
    restart, or because the first response was lost.

    Raises:
        SubmissionRefused: it is not allowed. The upload is discarded unless waiting can help.
        UploadGone: the file no longer exists.
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


def discard(upload: Upload) -> None:
    """Delete an upload and its file; a submission it became stays."""
    path = path_of(upload)
    upload.delete()
    path.unlink(missing_ok=True)


def _finish_once(upload: Upload, last_byte_at: datetime) -> None:
    try:
        upload.refresh_from_db()
    except Upload.DoesNotExist:
        raise UploadGone from None
    if upload.finished is None:
        team = upload.team.pk
        try:
            _receive(upload, last_byte_at)
        except SubmissionRefused as refusal:
            if refusal.status == 429:
                raise
            upload.refresh_from_db()
            if upload.team.pk != team:  # merged meanwhile: the upload is the other team's now
                _receive(upload, last_byte_at)
                return
            discard(upload)
            raise


def _receive(upload: Upload, last_byte_at: datetime) -> Submission:
    """Receive at `last_byte_at`, or now where the team's daily limit was reached then."""

    def receive_at(moment: datetime) -> Submission:
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
        return receive_at(last_byte_at)
    except SubmissionRefused as refusal:
        if refusal.status != 429:
            raise
        return receive_at(clock.now())


@contextmanager
def _opened(upload: Upload) -> Iterator[BinaryIO]:
    try:
        file = path_of(upload).open("r+b", buffering=0)
    except FileNotFoundError:
        raise UploadGone from None
    with file:
        yield file


def _written_at(file: BinaryIO) -> datetime:
    return min(datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC), clock.now())


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _write(file: BinaryIO, offset: int, chunk: bytes) -> None:
    """Append a chunk under a lock, if the file still ends at `offset`."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        if _size(file) != offset:
            raise OffsetConflict(_size(file))
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(file.fileno(), rest, offset)
            rest, offset = rest[written:], offset + written
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
