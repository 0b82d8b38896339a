"""The standard streams of a command: open, and able to take any text whatever their encoding."""

from __future__ import annotations

import codecs
import io
import os
import sys

ASCII_FORMS = {
    "−": "-", "–": "-", "×": "x", "·": "|", "…": "...", "→": "->", "≤": "<=", "≥": ">=",
    "±": "+/-", "√": "sqrt ", "∞": "infinity", "²": "2", "³": "3", "₁": "1", "₂": "2",
    "ε": "epsilon", "σ": "sigma", "τ": "tau",
}  # fmt: skip
"""genmem's own characters beyond ASCII, as they are written where the encoding lacks them."""

_HANDLER = "genmem.ascii"


def prepare_streams() -> None:
    r"""Make stdout and stderr take any text, for the whole process.

    A stream that was closed before the start (`>&-`) discards its output. Where the encoding lacks
    a character (cp1252 in a redirected file on Windows, ASCII under `LC_ALL=C`, lone surrogates of
    undecodable file names anywhere), genmem's own symbols become ASCII (τ: tau) and all other
    characters are escaped (ü: \xfc).
    """
    codecs.register_error(_HANDLER, _to_ascii)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def discard_stdout() -> None:
    """Send further output to nowhere: the interpreter flushes stdout once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _to_ascii(error: UnicodeError) -> tuple[str, int]:
    """The replacement of what cannot be encoded, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(ASCII_FORMS.get(char, ascii(char)[1:-1]) for char in text), error.end
