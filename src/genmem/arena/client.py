"""What `genmem submit` says to an arena, and what is made of each answer."""

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

PIECE = 4 * 2**20
PATIENCE = 600.0
"""Seconds without a byte getting through before it gives up."""

_PASSING = (408, 409, 423, 460, 500, 502, 503, 504)
"""Answers to a piece after which another attempt may do better."""

_LONGEST_PAUSE = 30.0
_TIMEOUT = 60.0

Shown = Callable[[int, int], None]
"""Called with bytes done and in all."""


class Unreachable(InputError):  # noqa: N818
    """The server does not answer, or not now."""


class NotTaken(GenmemError):  # noqa: N818
    """The server said no; the message is its reason."""


def check_file(file: Path) -> int:
    """The size of the file.

    Raises:
        InputError: it is none, empty, or no zip.
    """
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing"
        raise InputError(f"{file}: expected a zip, found {found}")
    with file.open("rb") as stream:
        start = stream.read(4)
    if not start.startswith(b"PK"):
        raise InputError(f"{file}: expected a zip, found something else; pack the files into one")
    return file.stat().st_size


def sha256_of(file: Path, progress: Shown) -> str:
    """The file's hash, in hexadecimal digits."""
    found, done, size = hashlib.sha256(), 0, file.stat().st_size
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            found.update(piece)
            done += len(piece)
            progress(done, size)
    return found.hexdigest()


def when(text: str) -> datetime:
    """A time of the interface."""
    return datetime.fromisoformat(text)


class Server:
    """One competition of an arena, asked with one token.

    Args:
        address: of the competition's page, or of any below it.
        token: of whoever submits.
    """

    def __init__(self, address: str, token: str) -> None:
        _require_extra()
        parts = urlsplit(address)
        path = [part for part in parts.path.split("/") if part]
        if parts.scheme not in ("http", "https") or not parts.hostname or path[:1] != ["c"]:
            raise UsageError(f"--to: expected https://HOST/c/COMPETITION, got {address!r}")
        if len(path) < 2:
            raise UsageError(f"--to: {address!r} names no competition after /c/")
        self.root, self.slug = f"{parts.scheme}://{parts.netloc}", path[1]
        if not token:
            raise UsageError(
                f"expected a token in $GENMEM_TOKEN; make one on {self.root}/account/#tokens"
            )
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError("the token has letters that no token has; copy it again")
        self.headers = {"Authorization": f"Bearer {token}"}
        _notice_dead_connections()

    def competition(self) -> dict[str, Any]:
        """Its limits."""
        return self._get("")

    def team(self) -> dict[str, Any]:
        """The team of whoever submits."""
        return self._get("/team")

    def submission(self, number: str) -> dict[str, Any]:
        """One submission; asked for again where the server is away for a moment."""
        patience = _Patience()
        while True:
            try:
                return self._get(f"/submissions/{number}")
            except Unreachable as error:
                patience.wait(error)

    def send(self, file: Path, *, kind: str, size: int, sha256: str, progress: Shown) -> str:
        """Send a file, from where an earlier attempt stopped if there was one.

        Returns:
            The submission's number.

        Raises:
            NotTaken: the server refused it.
        """
        from tusclient.client import TusClient
        from tusclient.exceptions import TusCommunicationError

        client = TusClient(f"{self.root}/c/{self.slug}/uploads/", headers=dict(self.headers))
        told = {"filename": file.name, "kind": kind, "sha256": sha256}
        with file.open("rb") as stream:
            sender = client.uploader(file_stream=stream, chunk_size=PIECE, metadata=told)
            patience = _Patience()
            while True:
                try:
                    if not sender.url:
                        sender.set_url(self._begun(kind, size, sha256) or sender.create_url())
                    sender.offset = sender.get_offset()
                    while sender.offset < size:
                        progress(sender.offset, size)
                        sender.upload_chunk()
                        patience.renew()
                    progress(size, size)
                    return self._submission_of(str(sender.url))
                except Unreachable as error:
                    patience.wait(error)
                except TusCommunicationError as error:
                    if error.status_code in (404, 410) and sender.url:
                        sender.url = None
                    elif error.status_code not in (None, *_PASSING):
                        _refuse(error.status_code, error.response_content or b"")
                    patience.wait(error)

    def _begun(self, kind: str, size: int, sha256: str) -> str | None:
        """The address of an earlier attempt with this file, where there is one."""
        for one in self._get("/uploads"):
            if (one["kind"], one["length"], one["sha256"]) == (kind, size, sha256):
                return urljoin(self.root, one["address"])
        return None

    def _submission_of(self, upload: str) -> str:
        """The number of the submission that a complete upload became."""
        answer = self._ask("HEAD", upload, {"Tus-Resumable": "1.0.0"})
        if answer.status_code in _PASSING:
            raise Unreachable(f"{self.root} answers {answer.status_code}")
        if not answer.ok:
            _refuse(answer.status_code, answer.content)
        return answer.headers["Submission-Location"].rstrip("/").rpartition("/")[2]

    def _get(self, where: str) -> Any:
        while True:
            answer = self._ask("GET", f"{self.root}/api/competitions/{self.slug}{where}", {})
            is_json = "json" in answer.headers.get("Content-Type", "")
            if answer.ok and is_json:
                return answer.json()
            if answer.status_code == 429:
                time.sleep(float(answer.headers.get("Retry-After", 1)))
                continue
            if answer.status_code >= 500:
                raise Unreachable(f"{self.root} answers {answer.status_code}")
            if not is_json:
                raise UsageError(f"--to: {self.root} does not answer as an arena does")
            _refuse(answer.status_code, answer.content)

    def _ask(self, method: str, address: str, headers: dict[str, str]) -> Any:
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
            raise Unreachable(f"{self.root} does not answer: {_reason(error)}") from error


class _Patience:
    """Pauses that grow, until nothing got through for a long time."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.pause, self.since = 1.0, time.monotonic()

    def wait(self, error: Exception) -> None:
        if time.monotonic() - self.since > PATIENCE:
            raise InputError(
                f"nothing got through for {PATIENCE / 60:.0f} min ({_reason(error)}); "
                "run this again, and it goes on where it stopped"
            )
        time.sleep(self.pause)
        self.pause = min(2 * self.pause, _LONGEST_PAUSE)


def _refuse(status: int, content: bytes) -> NoReturn:
    """Raise the server's reason as one line."""
    text = content.decode("utf-8", "replace").strip()
    try:
        told = json.loads(text)
        text = str(told["detail"]) if isinstance(told, dict) and "detail" in told else text
    except ValueError:
        if text.startswith("<"):
            text = ""
    raise NotTaken(text or f"the server answered {status}")


def _reason(error: BaseException) -> str:
    """The innermost words of an error: "connection refused", not the whole chain."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())[:200]


def _notice_dead_connections() -> None:
    """Let the system end a connection on which nothing moves for a minute."""
    from urllib3.connection import HTTPConnection

    wanted = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 60_000}
    options: Any = HTTPConnection.default_socket_options
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    options.extend(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in wanted.items()
        if hasattr(socket, name)
    )


def _require_extra() -> None:
    if importlib.util.find_spec("tusclient") is None:
        raise UsageError(
            "submitting needs tuspy; install it with: pip install 'genmem[submit]', "
            "or send the file in the browser"
        )
