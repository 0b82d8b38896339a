"""Shards in object storage and on web servers: `s3://`, `gs://`, `https://` and others.

pyarrow reads `s3://` and `gs://`; fsspec reads every other kind, `http://` and `https://` with the
extra `remote`. Credentials come from where the storage's own tools look for them (environment,
configuration files). Messages name a URL without its user, password and query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow.fs as pf

from genmem.errors import GenmemError, InputError, UsageError
from genmem.images.tempfiles import copy_to_tempfile
from genmem.io.urls import URL, without_secrets

TIMEOUT_SECONDS = 30.0
"""How long a web server may take to answer, or to send more."""

_HTTP = ("http://", "https://")
_ARROW_SCHEMES = ("s3", "gs", "gcs")
_LONGEST_REASON = 300


def reason_of(error: BaseException) -> str:
    """What an error says, in one line, its URLs without secrets."""
    text = " ".join(str(error).split()) or type(error).__name__
    return without_secrets(text)[:_LONGEST_REASON].rstrip(".")


@dataclass(frozen=True)
class RemoteFile:
    """A file in a remote file system.

    Attributes:
        url: as it was given, or listed; without secrets.
        path: its path in the file system.
        files: the file system.
    """

    url: str
    path: str
    files: pf.FileSystem

    def open(self) -> Any:
        """The file for reading by ranges."""
        with _errors(self.url):
            if isinstance(self.files, pf.PyFileSystem):  # which would swallow errors
                return self.files.handler.fs.open(self.path, "rb")
            return self.files.open_input_file(self.path)

    def copy(self) -> IO[bytes]:
        """A temporary copy of the file, read once from its start to its end."""
        with _errors(self.url), self._stream() as stream:
            return copy_to_tempfile(stream, compressed=None, what=self.url)

    def _stream(self) -> Any:
        if self.url.lower().startswith(_HTTP):  # one request, whether or not the server has ranges
            return self.files.handler.fs.open(self.path, "rb", block_size=0)
        return self.files.open_input_stream(self.path)


def connect(url: str) -> RemoteFile:
    """The file that a URL names. Nothing is read.

    Raises:
        UsageError: fsspec or a package that it needs is missing.
        InputError: the URL is malformed, or no file system reads its kind.
    """
    match = URL.fullmatch(url)
    assert match is not None
    scheme, host, path, query = match.groups()
    shown = without_secrets(url)
    with _errors(shown):
        if scheme.lower() in _ARROW_SCHEMES:
            files, _ = pf.FileSystem.from_uri(f"{scheme.lower()}://{host}{query or ''}")
            bucket = host.rpartition("@")[2]
            return RemoteFile(shown, bucket + path, files)
        from fsspec.core import url_to_fs

        options = _http_options() if shown.lower().startswith(_HTTP) else {}
        files, path = url_to_fs(url, **options)
        return RemoteFile(shown, path, pf.PyFileSystem(pf.FSSpecHandler(files)))


def _http_options() -> dict[str, Any]:
    """No limit on the whole of a download, which fsspec sets to five minutes."""
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(sock_connect=TIMEOUT_SECONDS, sock_read=TIMEOUT_SECONDS)
    return {"client_kwargs": {"timeout": timeout}}


def list_files(folder: RemoteFile, *, recursive: bool = True) -> list[RemoteFile]:
    """The files in a folder, sorted by their paths.

    Args:
        folder: where to look.
        recursive: list its folders too.

    Raises:
        InputError: there is no such folder, or it cannot be listed.
    """
    with _errors(folder.url):
        selector = pf.FileSelector(folder.path.rstrip("/"), recursive=recursive)
        infos = folder.files.get_file_info(selector)
    root = folder.url.rstrip("/")
    names = sorted(
        info.path.removeprefix(selector.base_dir).lstrip("/")
        for info in infos
        if info.type == pf.FileType.File
    )
    return [
        RemoteFile(f"{root}/{name}", f"{selector.base_dir}/{name}", folder.files) for name in names
    ]


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into one line that names the URL without secrets."""
    try:
        yield
    except GenmemError:
        raise
    except ImportError as error:
        raise UsageError(
            f"{url}: {reason_of(error)}. Install genmem[remote], or the package of fsspec for this "
            "kind of URL."
        ) from None
    except Exception as error:  # fsspec's file systems raise anything
        # fsspec's HTTP says "not found" of every failure, and has the failure itself as its cause.
        reason = error.__cause__ if isinstance(error, FileNotFoundError) else error
        if reason is None or getattr(reason, "status", None) == 404:
            raise InputError(f"{url}: there is no such file. Check the URL.") from None
        raise InputError(
            f"{url}: cannot be read: {reason_of(reason)}. Check the URL, the network and the "
            "credentials."
        ) from None
