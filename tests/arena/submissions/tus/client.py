"""A minimal client of the tus protocol, on Django's test client; imported once Django is loaded."""

from __future__ import annotations

import base64
import hashlib
import io
import os

from django.test import Client

from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.storage import incoming_folder, open_read

PIECE = "application/offset+octet-stream"


class Broken(io.RawIOBase):
    """A connection that carries some bytes and then ends, or breaks with an error."""

    def __init__(self, content: bytes, *, error: bool = False) -> None:
        self.content, self.error = io.BytesIO(content), error

    def read(self, size: int = -1) -> bytes:
        piece = self.content.read(size)
        if self.error and not piece:
            raise ConnectionResetError
        return piece


class Sender:
    """Somebody with a file to send, who is signed in or has a token."""

    def __init__(self, client: Client, slug: str = "dogs", token: str = "") -> None:
        self.client, self.slug = client, slug
        self.headers = {"Tus-Resumable": "1.0.0"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def begin(self, length: int, headers: dict | None = None, **metadata: str):
        told = {"filename": "dogs.zip", "kind": "images"} | metadata
        pairs = [
            f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in told.items()
        ]
        return self.client.post(
            f"/c/{self.slug}/uploads/",
            headers={
                **self.headers,
                "Upload-Length": str(length),
                "Upload-Metadata": ",".join(pairs),
                **(headers or {}),
            },
        )

    def head(self, where: str):
        return self.client.head(where, headers=self.headers)

    def offset(self, where: str) -> int:
        return int(self.head(where).headers["Upload-Offset"])

    def patch(self, where: str, offset: int, piece: bytes, headers: dict | None = None):
        return self.client.generic(
            "PATCH",
            where,
            piece,
            content_type=PIECE,
            CONTENT_TYPE=(headers or {}).get("Content-Type", PIECE),
            headers={**self.headers, "Upload-Offset": str(offset), **(headers or {})},
        )

    def cut(self, where: str, offset: int, piece: bytes, at: int, *, error: bool = False):
        """Announce a piece, and lose the connection after some of it."""
        return self.client.generic(
            "PATCH",
            where,
            b"",
            content_type=PIECE,
            headers={**self.headers, "Upload-Offset": str(offset)},
            **as_body(Broken(piece[:at], error=error), len(piece)),
        )

    def delete(self, where: str):
        return self.client.delete(where, headers=self.headers)


def as_body(stream: io.RawIOBase, length: int) -> dict[str, object]:
    """What makes Django read a request's body from a stream of our own."""
    return {"wsgi.input": stream, "CONTENT_LENGTH": str(length), "CONTENT_TYPE": PIECE}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checksum(content: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, content).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def begun(sender, content, **metadata):
    answer = sender.begin(len(content), **({"sha256": sha256(content)} | metadata))
    assert answer.status_code == 201, answer.content
    return answer.headers["Location"]


def submissions():
    return list(Submission.objects.all())


def kept(submission):
    with open_read(submission.file) as stream:
        return stream.read()


def pieces_left():
    return sorted(path.name for path in (incoming_folder() / "uploads").iterdir())


def send_stream(sender, where, stream, length, headers=None):
    told = {**sender.headers, "Upload-Offset": "0", **(headers or {})}
    return sender.client.generic("PATCH", where, b"", headers=told, **as_body(stream, length))


def set_written_at(where, at):
    path = incoming_folder() / "uploads" / where.rstrip("/").rpartition("/")[2]
    os.utime(path, (at.timestamp(), at.timestamp()))
