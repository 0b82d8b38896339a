"""Storage in a bucket of an S3-compatible service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from genmem.arena.core.heartbeat import beat_from_other_threads
from genmem.arena.submissions.exceptions import StorageError

_SINGLE_PUT = 5 * 2**30
"""Largest S3 put in bytes; larger files are uploaded in parts and completed in one step."""

_MISSING = ("404", "NoSuchKey", "NotFound")


class Bucket:
    """Files below a prefix of a bucket.

    Args:
        address: s3://BUCKET/PREFIX.
        endpoint: URL of the service; "" means AWS.
        key: access key; "" lets boto3 read both keys from the environment.
        secret: secret key.
        scratch: context manager of an empty local folder.
    """

    def __init__(
        self,
        *,
        address: str,
        endpoint: str,
        key: str,
        secret: str,
        scratch: Callable[[], AbstractContextManager[Path]],
    ) -> None:
        parts = urlsplit(address)
        self.scratch = scratch
        self.address, self.bucket = address, parts.netloc
        self.prefix = "".join(f"{part}/" for part in parts.path.split("/") if part)
        self.client = Session().client(
            "s3",
            endpoint_url=endpoint or None,
            aws_access_key_id=key or None,
            aws_secret_access_key=secret or None,
            config=Config(
                connect_timeout=10,
                read_timeout=60,
                retries={"max_attempts": 5, "mode": "standard"},
                s3={"addressing_style": "path" if endpoint else "auto"},
            ),
        )
        self.transfer = TransferConfig(multipart_threshold=_SINGLE_PUT, use_threads=False)

    def store_file(self, source: Path, name: str) -> None:
        """Upload in one put: the service shows the file whole or not at all."""
        with self._convert_errors(name), source.open("rb") as file:
            self.client.upload_fileobj(
                file,
                self.bucket,
                self.prefix + name,
                Config=self.transfer,
                Callback=beat_from_other_threads(),
            )

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Download the file; delete it when the block ends."""
        with self.scratch() as folder:
            path = folder / name.rpartition("/")[2]
            with self._convert_errors(name):
                self.client.download_file(
                    self.bucket,
                    self.prefix + name,
                    str(path),
                    Callback=beat_from_other_threads(),
                )
            yield path

    def open_read(self, name: str) -> BinaryIO:
        """Open a stream from the service."""
        with self._convert_errors(name):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        return cast(BinaryIO, answer["Body"])

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        try:
            with self._convert_errors(name):
                self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Delete the file, if it exists."""
        with self._convert_errors(name):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def list_files(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """List in pages of a thousand names."""
        with self._convert_errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(self.prefix), item["LastModified"]

    @contextmanager
    def _convert_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            details = error.response.get("Error", {})
            if details.get("Code") in _MISSING:
                raise FileNotFoundError(2, "there is no stored file of this name", name) from error
            raise StorageError(
                f"the storage {self.address} refused: {details.get('Code')}: "
                f"{details.get('Message')}"
            ) from error
        except (Boto3Error, BotoCoreError) as error:
            raise StorageError(f"the storage {self.address} does not respond: {error}") from error
