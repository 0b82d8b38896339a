"""Client of an arena's REST API and of its resumable uploads, for `genmem submit`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from genmem.errors import GenmemError, InputError, UsageError

CHUNK = 4 * 2**20
"""Bytes per request of an upload."""

GIVE_UP_AFTER = 600.0
"""Seconds without progress after which the client gives up."""

_TRANSIENT = (408, 409, 423, 460, 500, 502, 503, 504)
"""HTTP statuses after which a retry can succeed."""

_MAX_PAUSE = 30.0
_TIMEOUT = 60.0

ByteProgress = Callable[[int, int], None]
"""Called with the bytes done and the total."""


class Unreachable(InputError):  # noqa: N818
    """The server does not respond, or not now."""


class Refused(GenmemError):  # noqa: N818
    """The server refused the request; the message is its reason."""


def check_file(file: Path) -> int:
    """Check that the file is a zip, and return its size in bytes.

    Raises:
        InputError: it does not exist, is empty, or is not a zip.
    """
    if not file.is_file():
        actual = "a folder" if file.is_dir() else "nothing"
        raise InputError(f"{file}: expected a zip, found {actual}")
    with file.open("rb") as stream:
        start = stream.read(4)
    if not start.startswith(b"PK"):
        raise InputError(f"{file}: expected a zip, found another file type; zip the files")
    return file.stat().st_size


def sha256_of(file: Path, progress: ByteProgress) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    digest, done, size = hashlib.sha256(), 0, file.stat().st_size
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(done, size)
    return digest.hexdigest()


def parse_time(text: str) -> datetime:
    """Parse a time of the API."""
    return datetime.fromisoformat(text)


class CompetitionClient:
    """Client of one competition, authenticated by one token.

    Args:
        address: URL of the competition's page, or of any page below it.
        token: API token of the person who submits.

    Raises:
        UsageError: the address is not a competition's, the token is malformed, or tuspy is missing.
    """

    def __init__(self, address: str, token: str) -> None:
        _require_extra()
        parts = urlsplit(address)
        path = [part for part in parts.path.split("/") if part]
        if parts.scheme not in ("http", "https") or not parts.hostname or path[:1] != ["c"]:
            raise UsageError(f"--to: expected https://HOST/c/COMPETITION, got {address!r}")
        if len(path) < 2:
            raise UsageError(f"--to: expected a competition after /c/, got {address!r}")
        self.root, self.slug = f"{parts.scheme}://{parts.netloc}", path[1]
        if not token:
            raise UsageError(
                f"expected a token in $GENMEM_TOKEN; create one on {self.root}/account/#tokens"
            )
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError("the token contains invalid characters; copy it again")
        self.headers = {"Authorization": f"Bearer {token}"}
        _enable_keepalive()

    def competition(self) -> dict[str, Any]:
        """Return the competition's limits."""
        return self._get("")

    def team(self) -> dict[str, Any]:
        """Return the caller's team."""
        return self._get("/team")

    def submission(self, number: str) -> dict[str, Any]:
        """Return one submission; retry while the server does not respond."""
        retry = _Retry()
        while True:
            try:
                return self._get(f"/submissions/{number}")
            except Unreachable as error:
                retry.wait(error)

    def upload(
        self, file: Path, *, kind: str, size: int, sha256: str, progress: ByteProgress
    ) -> str:
        """Upload a file, resuming an earlier attempt with the same file.

        Args:
            file: the zip.
            kind: "images" or "code".
            size: of the file, in bytes.
            sha256: of the file, in hexadecimal.
            progress: called after each chunk.

        Returns:
            The id of the submission.

        Raises:
            Refused: the server refused it.
            InputError: there was no progress for a long time.
        """
        from tusclient.client import TusClient
        from tusclient.exceptions import TusCommunicationError

        client = TusClient(f"{self.root}/c/{self.slug}/uploads/", headers=dict(self.headers))
        metadata = {"filename": file.name, "kind": kind, "sha256": sha256}
        with file.open("rb") as stream:
            uploader = client.uploader(file_stream=stream, chunk_size=CHUNK, metadata=metadata)
            retry = _Retry()
            while True:
                try:
                    if not uploader.url:
                        uploader.set_url(
                            self._unfinished_upload(kind, size, sha256) or uploader.create_url()
                        )
                    uploader.offset = uploader.get_offset()
                    while uploader.offset < size:
                        progress(uploader.offset, size)
                        uploader.upload_chunk()
                        retry.reset()
                    progress(size, size)
                    return self._submission_of(str(uploader.url))
                except Unreachable as error:
                    retry.wait(error)
                except TusCommunicationError as error:
                    if error.status_code in (404, 410) and uploader.url:
                        uploader.url = None
                    elif error.status_code not in (None, *_TRANSIENT):
                        _refuse(error.status_code, error.response_content or b"")
                    retry.wait(error)

    def _unfinished_upload(self, kind: str, size: int, sha256: str) -> str | None:
        """Return the URL of an unfinished upload of this file; None if there is none."""
        for upload in self._get("/uploads"):
            if (upload["kind"], upload["length"], upload["sha256"]) == (kind, size, sha256):
                return urljoin(self.root, upload["address"])
        return None

    def _submission_of(self, upload: str) -> str:
        """Return the id of the submission that a complete upload became."""
        response = self._request("HEAD", upload, {"Tus-Resumable": "1.0.0"})
        if response.status_code in _TRANSIENT:
            raise Unreachable(f"{self.root} responds with status {response.status_code}")
        if not response.ok:
            _refuse(response.status_code, response.content)
        return response.headers["Submission-Location"].rstrip("/").rpartition("/")[2]

    def _get(self, where: str) -> Any:
        while True:
            response = self._request("GET", f"{self.root}/api/competitions/{self.slug}{where}", {})
            is_json = "json" in response.headers.get("Content-Type", "")
            if response.ok and is_json:
                return response.json()
            if response.status_code == 429:
                time.sleep(float(response.headers.get("Retry-After", 1)))
                continue
            if response.status_code >= 500:
                raise Unreachable(f"{self.root} responds with status {response.status_code}")
            if not is_json:
                raise UsageError(f"--to: {self.root} does not respond like an arena")
            _refuse(response.status_code, response.content)

    def _request(self, method: str, address: str, headers: dict[str, str]) -> Any:
        import requests

        try:
            return requests.request(
                method,
                address,
                headers=self.headers | headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable(f"{self.root} does not respond: {_reason(error)}") from error


class _Retry:
    """Pauses between attempts that double, until there was no progress for a long time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.pause, self.since = 1.0, time.monotonic()

    def wait(self, error: Exception) -> None:
        if time.monotonic() - self.since > GIVE_UP_AFTER:
            raise InputError(
                f"no progress for {GIVE_UP_AFTER / 60:.0f} min ({_reason(error)}); run the same "
                "command again to resume"
            )
        time.sleep(self.pause)
        self.pause = min(2 * self.pause, _MAX_PAUSE)


def _refuse(status: int, content: bytes) -> NoReturn:
    """Raise `Refused` with the server's reason as one line."""
    text = content.decode("utf-8", "replace").strip()
    try:
        body = json.loads(text)
        text = str(body["detail"]) if isinstance(body, dict) and "detail" in body else text
    except ValueError:
        if text.startswith("<"):
            text = ""
    raise Refused(text or f"the server responded with status {status}")


def _reason(error: BaseException) -> str:
    """Return the innermost message of an error: "connection refused", not the whole chain."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())[:200]


def _enable_keepalive() -> None:
    """Let the operating system close a connection without traffic for a minute."""
    from urllib3.connection import HTTPConnection

    keepalive = {
        "TCP_KEEPIDLE": 20,
        "TCP_KEEPINTVL": 10,
        "TCP_KEEPCNT": 4,
        "TCP_USER_TIMEOUT": 60_000,
    }
    options: Any = HTTPConnection.default_socket_options
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    options.extend(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in keepalive.items()
        if hasattr(socket, name)
    )


def _require_extra() -> None:
    if importlib.util.find_spec("tusclient") is None:
        raise UsageError(
            "submitting needs tuspy; install it with: pip install 'genmem[submit]', "
            "or upload the file in the browser"
        )
