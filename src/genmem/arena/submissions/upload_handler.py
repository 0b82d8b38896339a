"""An upload by a plain form goes straight to disk, and is cut off where it grows too large."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler


class LimitedUpload(TemporaryFileUploadHandler):
    """Writes into the storage folder's `incoming/`; `too_large` once the limit is passed.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.received, self.too_large = limit, 0, False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a piece, or read on without keeping anything."""
        self.received += len(raw_data)
        if self.received > self.limit:
            self.too_large = True
            self.file.close()
            raise SkipFile
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """The whole file."""
        return None if self.too_large else super().file_complete(file_size)
