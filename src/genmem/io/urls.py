"""URLs: what is one, and what of it may be shown."""

from __future__ import annotations

import re

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?]*)(\?.*)?", re.DOTALL)
"""Scheme, host (with user and password), path (with fragment), query."""

_WITHIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")


def is_url(source: object) -> bool:
    """Whether a source is a URL, `SCHEME://…`."""
    return isinstance(source, str) and URL.fullmatch(source) is not None


def is_remote(source: object) -> bool:
    """Whether a source of images is no path: a URL, or a data set on a hub (`hf:…`)."""
    return is_url(source) or (isinstance(source, str) and source.startswith("hf:"))


def without_secrets(text: str) -> str:
    """A text whose URLs have no user, password, query and fragment.

    Args:
        text: a URL of any characters; or text with URLs, which end at a space or quotation mark.
    """
    if URL.fullmatch(text):
        return _strip(text)
    return _WITHIN_TEXT.sub(lambda match: _strip(match[0]), text)


def _strip(url: str) -> str:
    match = URL.fullmatch(url)
    assert match is not None
    scheme, host, path, _ = match.groups()
    return f"{scheme}://{host.rpartition('@')[2]}{path.split('#')[0]}"
