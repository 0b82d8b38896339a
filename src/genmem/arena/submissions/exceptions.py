"""Errors of uploads and of the storage."""

from __future__ import annotations

from genmem.errors import GenmemError


class SubmissionRefused(GenmemError):  # noqa: N818
    """A submission, an upload or a chunk of one is not accepted; the message is for its author.

    Attributes:
        status: the HTTP status that fits the reason.
        headers: HTTP headers to send with it.
    """

    def __init__(
        self, message: str, *, status: int = 403, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}


class OffsetConflict(SubmissionRefused):
    """A chunk does not begin where the file ends, at `offset`."""

    def __init__(self, offset: int) -> None:
        message = f"Expected a chunk that begins at byte {offset:,}."
        super().__init__(message, status=409, headers={"Upload-Offset": str(offset)})


class ChecksumMismatch(SubmissionRefused):
    """A chunk does not have the announced checksum."""

    def __init__(self, algorithm: str) -> None:
        message = f"The chunk arrived damaged: its {algorithm} differs from the announced one."
        super().__init__(f"{message} Send it again.", status=460)


class UploadGone(SubmissionRefused):
    """The upload was discarded, or expired."""

    def __init__(self, message: str = "This upload no longer exists; start again.") -> None:
        super().__init__(message, status=410)


class StorageError(GenmemError):
    """The place where files are kept does not respond or refuses; the message says which."""
