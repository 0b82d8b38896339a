"""Resumable uploads by the tus protocol, version 1.0: https://tus.io/protocols/resumable-upload

    OPTIONS c/SLUG/uploads/        supported versions and extensions, and the size limit
    POST    c/SLUG/uploads/        begin: Upload-Length, and Upload-Metadata with filename, kind and
                                   (to have the file checked) sha256
    HEAD    c/SLUG/uploads/ID/     current Upload-Offset
    PATCH   c/SLUG/uploads/ID/     next chunk, with Upload-Offset and perhaps Upload-Checksum
    DELETE  c/SLUG/uploads/ID/     discard

Extensions: creation, expiration, termination, checksum. Once its last byte arrived, an upload is a
submission, whose URL is in `Submission-Location`; an empty PATCH at the end returns it again.
Errors are one line of plain text.
"""

from __future__ import annotations

import base64
import binascii
import errno
import uuid
from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from genmem.arena.accounts.tokens import bearer_token, user_of_token
from genmem.arena.core import clock
from genmem.arena.submissions.exceptions import OffsetConflict, SubmissionRefused, UploadGone
from genmem.arena.submissions.models import Upload
from genmem.arena.submissions.services import check_submission_allowed
from genmem.arena.submissions.uploads import (
    append,
    append_checked,
    begin,
    discard,
    finish,
    received_bytes,
)
from genmem.arena.teams.permissions import get_viewer, require_member

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination,checksum"
ALGORITHMS = ("sha1", "sha256", "md5")
MAX_CHECKED_BYTES = 2**26
"""The largest chunk with a checksum: it is spooled before any of it is written."""

_READ_BYTES = 2**18


@csrf_exempt  # `_authenticate` checks callers who use a cookie
def uploads(request: HttpRequest, slug: str) -> HttpResponse:
    """Describe the endpoint (OPTIONS), or begin an upload (POST)."""
    if request.method == "OPTIONS":
        return _options(request, slug)
    if request.method != "POST" or "X-HTTP-Method-Override" in request.headers:
        return _not_allowed("OPTIONS, POST")
    return _respond(request, lambda: _begin(request, slug))


@csrf_exempt  # as above
def upload(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Return the offset of an upload (HEAD), add a chunk (PATCH), or discard it (DELETE)."""
    method = request.method or ""
    if method == "POST":
        method = request.headers.get("X-HTTP-Method-Override", "").upper()
    if method == "OPTIONS":
        return _options(request, slug)
    handler = {"HEAD": _head, "PATCH": _patch, "DELETE": _delete}.get(method)
    if handler is None:
        return _not_allowed("OPTIONS, HEAD, PATCH, DELETE")
    return _respond(request, lambda: handler(request, _own_upload(request, slug, pk)))


def _respond(request: HttpRequest, handle: Callable[[], HttpResponse]) -> HttpResponse:
    """Authenticate, check the protocol's version, handle, and turn errors into statuses."""
    try:
        refusal = _authenticate(request)
        if refusal is not None:
            return refusal
        if request.headers.get("Tus-Resumable") != VERSION:
            return _response(412, f"Expected Tus-Resumable: {VERSION}.", {"Tus-Version": VERSION})
        return handle()
    except SubmissionRefused as error:
        return _response(error.status, str(error), error.headers)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _response(
            507, "The server's disk is full. Tell the organizers, and try again later."
        )


def _authenticate(request: HttpRequest) -> HttpResponse | None:
    """Set `request.user` from a token, or check the CSRF token that goes with a cookie.

    Returns:
        None, or the response that refuses the caller.
    """
    token = bearer_token(request)
    if token:
        user = user_of_token(token)
        if user is None:
            return _response(401, "The token is wrong or was revoked; create one on your account.")
        request.user = user
        return None
    if not request.user.is_authenticated:
        return _response(401, "Sign in, or send a token: Authorization: Bearer TOKEN.")
    checked = csrf_protect(lambda _: HttpResponse(status=204))(request)
    return None if checked.status_code == 204 else checked


def _options(request: HttpRequest, slug: str) -> HttpResponse:
    competition = get_viewer(request, slug).competition
    return _response(
        204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(competition.maximum_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


def _begin(request: HttpRequest, slug: str) -> HttpResponse:
    _, team, user = require_member(request, slug)
    if "Upload-Defer-Length" in request.headers:
        raise _protocol_error("Expected Upload-Length: the size must be known at the beginning.")
    metadata = _metadata(request.headers.get("Upload-Metadata", ""))
    sha256 = metadata.get("sha256", "").strip().lower()
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        raise _protocol_error("Expected sha256 as 64 hexadecimal digits.")
    upload = begin(
        team,
        user,
        kind=metadata.get("kind", "images"),
        length=_bytes_header(request, "Upload-Length"),
        original_name=metadata.get("filename", "") or "unnamed.zip",
        sha256=sha256,
    )
    location = reverse("upload", args=[slug, upload.pk])
    headers = {"Location": location, "Upload-Offset": "0", **_expires(upload)}
    return _response(201, headers=headers)


def _head(request: HttpRequest, upload: Upload) -> HttpResponse:
    headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    return _offset_response(upload, received_bytes(upload), headers, status=200)


def _patch(request: HttpRequest, upload: Upload) -> HttpResponse:
    if request.content_type != "application/offset+octet-stream":
        raise _protocol_error("Expected Content-Type: application/offset+octet-stream.", 415)
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        raise _protocol_error("Expected Content-Length: the size of the chunk.", 411)
    offset = _bytes_header(request, "Upload-Offset")
    length = _bytes_header(request, "Content-Length", "0")
    current = received_bytes(upload)
    if offset != current:
        raise OffsetConflict(current)
    if offset + length > upload.length:
        raise _protocol_error(
            f"Expected at most {upload.length:,} bytes as announced, got {offset + length:,} with "
            "this chunk.",
            413,
        )
    if upload.finished is None and length:
        check_submission_allowed(upload.team, upload.author, kind=upload.kind, size=upload.length)
        current = _append(request, upload, offset, length)
    return _offset_response(upload, current, {}, status=204)


def _append(request: HttpRequest, upload: Upload, offset: int, length: int) -> int:
    chunks = _chunks(request, length)
    if "Upload-Checksum" not in request.headers:
        return append(upload, offset, chunks)
    algorithm, _, digest = request.headers["Upload-Checksum"].partition(" ")
    if algorithm not in ALGORITHMS:
        raise _protocol_error(f"Expected Upload-Checksum by one of {', '.join(ALGORITHMS)}.")
    if length > MAX_CHECKED_BYTES:
        message = f"A chunk with a checksum may have at most {MAX_CHECKED_BYTES:,} bytes."
        raise _protocol_error(message, 413)
    return append_checked(upload, offset, chunks, algorithm=algorithm, digest=_base64(digest))


def _delete(request: HttpRequest, upload: Upload) -> HttpResponse:
    if upload.finished is not None:
        raise _protocol_error("This upload is already a submission.", 409)
    discard(upload)
    return _response(204)


def _offset_response(
    upload: Upload, offset: int, headers: dict[str, str], *, status: int
) -> HttpResponse:
    """Return the offset; at the end of the file, finish the upload and return its submission."""
    if offset == upload.length:
        location = reverse("submission", args=[upload.team.competition.slug, finish(upload).pk])
        headers = {**headers, "Submission-Location": location}
    headers = {"Upload-Offset": str(offset), **_expires(upload), **headers}
    return _response(status, headers=headers)


def _own_upload(request: HttpRequest, slug: str, pk: uuid.UUID) -> Upload:
    """Return the upload to its author; anybody else gets 404."""
    upload = (
        Upload.objects.select_related("team__competition", "author", "finished")
        .filter(pk=pk, team__competition__slug=slug, author=request.user.pk)
        .first()
    )
    if upload is None:
        raise _protocol_error("There is no such upload.", 404)
    if upload.finished is None and upload.expires_at < clock.now():
        discard(upload)
        raise UploadGone("This upload expired; start again.")
    return upload


def _chunks(request: HttpRequest, length: int) -> Iterator[bytes]:
    """Read `length` bytes of the body in chunks; end early where the connection breaks."""
    while length > 0:
        try:
            chunk = request.read(min(_READ_BYTES, length))
        except OSError:
            return
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


def _metadata(text: str) -> dict[str, str]:
    """Parse Upload-Metadata: `name base64,name base64`; a name may stand alone."""
    metadata = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            metadata[name] = _base64(value).decode()
        except UnicodeDecodeError:
            raise _protocol_error(f"Upload-Metadata: {name}: expected UTF-8.") from None
    return metadata


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise _protocol_error(f"Expected base64, got {text[:80]!r}.") from None


def _bytes_header(request: HttpRequest, name: str, default: str = "") -> int:
    text = request.headers.get(name) or default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _protocol_error(f"Expected {name}: a number of bytes.")
    return int(text)


def _protocol_error(message: str, status: int = 400) -> SubmissionRefused:
    """Build the error for a request that does not follow the protocol."""
    return SubmissionRefused(message, status=status)


def _expires(upload: Upload) -> dict[str, str]:
    return {} if upload.finished else {"Upload-Expires": http_date(upload.expires_at.timestamp())}


def _not_allowed(methods: str) -> HttpResponse:
    return _response(405, f"Expected {methods}.", {"Allow": methods})


def _response(status: int, text: str = "", headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        text,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Tus-Resumable": VERSION, **(headers or {})},
    )
