"""A result as HTML that stands in any page: no script, no request, no style that leaks."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from genmem.auditing.thumbnails import encode_picture
from genmem.images import decode
from genmem.report.common.images import Picture, PictureGroup, picture
from genmem.report.common.tables import Table
from genmem.report.common.templates import encode, template
from genmem.report.common.verdict import Banner

PAIRS = 8
"""Pairs of pictures."""

_SIDE = 128
"""Larger pictures are reduced to this many pixels, so that a notebook stays small."""


def fragment(
    *,
    kind: str,
    title: str,
    table: Table,
    finding: Banner | None = None,
    histogram: str = "",
    groups: Sequence[PictureGroup] = (),
    more: str = "",
) -> str:
    """One result as an HTML element.

    Args:
        kind: "score", "audit", ….
        title: what was compared.
        table: its numbers.
        finding: the verdict above them.
        histogram: a picture below them, as a data URI.
        groups: pairs of pictures.
        more: a sentence below all.
    """
    text = template("notebook.html").render(
        kind=kind,
        title=title,
        finding=finding,
        table=table,
        histogram=histogram,
        groups=groups,
        more=more,
    )
    return encode(text).decode("utf-8")


def small_picture(content: bytes | None, alt: str, *caption: str) -> Picture | None:
    """A picture of a result, reduced; None without one."""
    if content is None:
        return None
    image = Image.fromarray(decode(content, name=alt))
    return picture(encode_picture(image, _SIDE), alt, *caption)
