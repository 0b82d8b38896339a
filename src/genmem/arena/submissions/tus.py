"""Resumable uploads by the tus protocol, version 1.0: https://tus.io/protocols/resumable-upload

    OPTIONS c/SLUG/uploads/        what is spoken here, and the largest file that is taken
    POST    c/SLUG/uploads/        begin: Upload-Length, and Upload-Metadata with filename, kind and
                                   (to have the file checked) sha256
    HEAD    c/SLUG/uploads/ID/     how far it got: Upload-Offset
    PATCH   c/SLUG/uploads/ID/     the next piece, with Upload-Offset and perhaps Upload-Checksum
    DELETE  c/SLUG/uploads/ID/     forget it

Extensions: creation, expiration, termination, checksum. Once the last byte is here the upload is a
submission, whose address is in `Submission-Location`; an empty PATCH at the end asks for it again.
Refusals are one line of plain text.
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
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.services import SubmissionRefused, check_submission_allowed
from genmem.arena.submissions.uploads import (
    Damaged,
    Elsewhere,
    UploadGone,
    append,
    append_checked,
    begin,
    discard,
    finish,
    reached,
)
from genmem.arena.teams.permissions import get_viewer, require_member

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination,checksum"
ALGORITHMS = ("sha1", "sha256", "md5")
CHECKED_PIECE = 2**26
"""The largest piece with a hash of its own: it is taken whole or not at all."""

_PIECE = 2**18


class _Wrong(Exception):  # noqa: N818
    """The request does not follow the protocol."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@csrf_exempt  # `_identified` checks whoever is known by a cookie
def uploads(request: HttpRequest, slug: str) -> HttpResponse:
    """What is spoken here, and beginning an upload."""
    if request.method == "OPTIONS":
        return _options(request, slug)
    if request.method != "POST" or "X-HTTP-Method-Override" in request.headers:
        return _not_allowed("OPTIONS, POST")
    return _spoken(request, lambda: _begin(request, slug))


@csrf_exempt  # as above
def upload(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """One upload: how far it got, more of it, or away with it."""
    method = request.method or ""
    if method == "POST":
        method = request.headers.get("X-HTTP-Method-Override", "").upper()
    if method == "OPTIONS":
        return _options(request, slug)
    does = {"HEAD": _head, "PATCH": _patch, "DELETE": _delete}.get(method)
    if does is None:
        return _not_allowed("OPTIONS, HEAD, PATCH, DELETE")
    return _spoken(request, lambda: does(request, _mine(request, slug, pk)))


def _spoken(request: HttpRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Check who asks and in which version, act, and turn every refusal into its status."""
    try:
        refusal = _identified(request)
        if refusal is not None:
            return refusal
        if request.headers.get("Tus-Resumable") != VERSION:
            return _answer(412, f"Expected Tus-Resumable: {VERSION}.", {"Tus-Version": VERSION})
        return act()
    except _Wrong as error:
        return _answer(error.status, str(error))
    except SubmissionRefused as error:
        return _answer(error.status, str(error))
    except Elsewhere as error:
        return _answer(409, str(error), {"Upload-Offset": str(error.offset)})
    except Damaged as error:
        return _answer(460, str(error))
    except UploadGone as error:
        return _answer(410, str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _answer(507, "The server's disk is full. Tell the organisers, and try later.")


def _identified(request: HttpRequest) -> HttpResponse | None:
    """Make `request.user` whoever asks: by a token, or by a cookie and a form's secret."""
    text = bearer_token(request)
    if text:
        user = user_of_token(text)
        if user is None:
            return _answer(401, "The token is wrong or was taken back; make one on your account.")
        request.user = user
        return None
    if not request.user.is_authenticated:
        return _answer(401, "Sign in, or send a token: Authorization: Bearer TOKEN.")
    found = csrf_protect(lambda _: HttpResponse(status=204))(request)
    return None if found.status_code == 204 else found


def _options(request: HttpRequest, slug: str) -> HttpResponse:
    competition = get_viewer(request, slug).competition
    return _answer(
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
        raise _Wrong(400, "Expected Upload-Length: the size is to be known at the beginning.")
    told = _metadata(request.headers.get("Upload-Metadata", ""))
    sha256 = told.get("sha256", "").strip().lower()
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        raise _Wrong(400, "Expected sha256 as 64 hexadecimal digits.")
    made = begin(
        team,
        user,
        kind=told.get("kind", "images"),
        length=_number(request, "Upload-Length"),
        original_name=told.get("filename", "") or "unnamed.zip",
        sha256=sha256,
    )
    where = reverse("upload", args=[slug, made.pk])
    return _answer(201, headers={"Location": where, "Upload-Offset": "0", **_expires(made)})


def _head(request: HttpRequest, found: Upload) -> HttpResponse:
    at = reached(found)
    more = {"Upload-Length": str(found.length), "Cache-Control": "no-store"}
    return _reached(found, at, more, status=200)


def _patch(request: HttpRequest, found: Upload) -> HttpResponse:
    if request.content_type != "application/offset+octet-stream":
        raise _Wrong(415, "Expected Content-Type: application/offset+octet-stream.")
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        raise _Wrong(411, "Expected Content-Length: the size of the piece.")
    offset, length = _number(request, "Upload-Offset"), _number(request, "Content-Length", "0")
    at = reached(found)
    if offset != at:
        raise Elsewhere(at)
    if offset + length > found.length:
        raise _Wrong(
            413,
            f"The piece would make {offset + length:,} bytes of the {found.length:,} announced.",
        )
    if found.finished is None and length:
        check_submission_allowed(found.team, found.author, kind=found.kind, size=found.length)
        at = _append(request, found, offset, length)
    return _reached(found, at, {}, status=204)


def _append(request: HttpRequest, found: Upload, offset: int, length: int) -> int:
    if "Upload-Checksum" not in request.headers:
        return append(found, offset, _pieces(request, length))
    algorithm, _, digest = request.headers["Upload-Checksum"].partition(" ")
    if algorithm not in ALGORITHMS:
        raise _Wrong(400, f"Expected Upload-Checksum by one of {', '.join(ALGORITHMS)}.")
    if length > CHECKED_PIECE:
        raise _Wrong(413, f"A piece with a checksum has at most {CHECKED_PIECE:,} bytes.")
    return append_checked(
        found, offset, _pieces(request, length), algorithm=algorithm, digest=_base64(digest)
    )


def _delete(request: HttpRequest, found: Upload) -> HttpResponse:
    if found.finished is not None:
        raise _Wrong(409, "This upload has become a submission already.")
    discard(found)
    return _answer(204)


def _reached(found: Upload, at: int, more: dict[str, str], *, status: int) -> HttpResponse:
    """How far it got; where that is the end, it is a submission now."""
    if at == found.length:
        more = {**more, "Submission-Location": _address(found, finish(found))}
    return _answer(status, headers={"Upload-Offset": str(at), **_expires(found), **more})


def _address(found: Upload, submission: Submission) -> str:
    return reverse("submission", args=[found.team.competition.slug, submission.pk])


def _mine(request: HttpRequest, slug: str, pk: uuid.UUID) -> Upload:
    """The upload, for its author only; to everybody else there is none."""
    found = (
        Upload.objects.select_related("team__competition", "author", "finished")
        .filter(pk=pk, team__competition__slug=slug, author=request.user.pk)
        .first()
    )
    if found is None:
        raise _Wrong(404, "There is no such upload.")
    if found.finished is None and found.expires_at < clock.now():
        discard(found)
        raise UploadGone("This upload waited too long for its next piece; begin anew.")
    return found


def _pieces(request: HttpRequest, length: int) -> Iterator[bytes]:
    """What the connection carries; it ends early where the connection breaks."""
    while length > 0:
        try:
            piece = request.read(min(_PIECE, length))
        except OSError:
            return
        if not piece:
            return
        length -= len(piece)
        yield piece


def _metadata(text: str) -> dict[str, str]:
    """Upload-Metadata: `name base64,name base64`; a name may stand alone."""
    found = {}
    for pair in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = _base64(value).decode()
        except UnicodeDecodeError:
            raise _Wrong(400, f"Upload-Metadata: {name}: expected UTF-8.") from None
    return found


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise _Wrong(400, f"Expected base64, got {text[:80]!r}.") from None


def _number(request: HttpRequest, name: str, absent: str = "") -> int:
    text = request.headers.get(name) or absent
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _Wrong(400, f"Expected {name}: a number of bytes.")
    return int(text)


def _expires(found: Upload) -> dict[str, str]:
    return {} if found.finished else {"Upload-Expires": http_date(found.expires_at.timestamp())}


def _not_allowed(methods: str) -> HttpResponse:
    return _answer(405, f"Expected {methods}.", {"Allow": methods})


def _answer(status: int, text: str = "", headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        text,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Tus-Resumable": VERSION, **(headers or {})},
    )
