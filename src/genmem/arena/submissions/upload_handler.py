"""Upload handlers: the submission form's writes to disk up to a limit, all other forms' to none."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    SkipFile,
    StopUpload,
    TemporaryFileUploadHandler,
)


class RefusedUpload(FileUploadHandler):
    """Ends the reading of a request at its first file, so that nothing of it is stored."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Read nothing more."""
        raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> None:
        """There is no file."""


class LimitedUpload(TemporaryFileUploadHandler):
    """Writes into the storage folder's `incoming/`; `too_large` once the limit is passed.

    Args:
        limit: largest file, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.received, self.too_large = limit, 0, False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a chunk, or discard it once the limit is passed."""
        self.received += len(raw_data)
        if self.received > self.limit:
            self.too_large = True
            self.file.close()
            raise SkipFile
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """Return the file; None if it is too large."""
        return None if self.too_large else super().file_complete(file_size)
