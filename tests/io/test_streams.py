import io
import sys

import pytest

from genmem.io.streams import ASCII_FORMS, prepare_streams


def written(text, *, encoding, monkeypatch):
    """The bytes that arrive when `text` is printed on a stream of the encoding."""
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding, newline=""))
    prepare_streams()
    print(text, end="", flush=True)
    return content.getvalue()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"tau -2 x 3, \\xfc\\u4e2d"),
        ("cp1252", b"tau -2 \xd7 3, \xfc\\u4e2d"),
        ("utf-8", "τ −2 × 3, ü中".encode()),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(encoding, expected, monkeypatch):
    assert written("τ −2 × 3, ü中", encoding=encoding, monkeypatch=monkeypatch) == expected


def test_a_file_name_that_is_not_utf_8_can_be_printed(monkeypatch):
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    assert written(name, encoding="utf-8", monkeypatch=monkeypatch) == b"\\udcff.png"


def test_every_replacement_is_ascii():
    assert all(text.isascii() and not sign.isascii() for sign, text in ASCII_FORMS.items())


def test_a_stream_without_an_encoding_is_left_alone(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    print("τ")
    assert stream.getvalue() == "τ\n"
