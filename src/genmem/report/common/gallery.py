"""The closest generated/training pairs as figures: pictures become data URIs, with their size."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from genmem.formatting import printable
from genmem.results import Pair

SHOWN = 24
"""Pairs in the gallery."""

SMALL = 128
"""Images up to this many pixels wide or high are enlarged without smoothing."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image on the page: `uri` is a data URI, width and height are in its own pixels."""

    uri: str
    width: int
    height: int
    alt: str

    @property
    def small(self) -> bool:
        """Whether the pixels should stay visible when the browser enlarges it."""
        return max(self.width, self.height) <= SMALL


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A pair as the gallery shows it; a picture is None when features were given."""

    rank: int
    distance: str
    generated_id: str
    train_id: str
    generated: Picture | None
    train: Picture | None


def exhibits(pairs: Sequence[Pair]) -> list[Exhibit]:
    """The first `SHOWN` pairs, in the order given (nearest first)."""
    return [
        Exhibit(
            rank=rank,
            distance=f"{pair.distance:.3g}",
            generated_id=printable(pair.generated_id),
            train_id=printable(pair.train_id),
            generated=picture(
                pair.generated_png, f"Generated image {printable(pair.generated_id)}"
            ),
            train=picture(pair.train_png, f"Its nearest training image {printable(pair.train_id)}"),
        )
        for rank, pair in enumerate(pairs[:SHOWN], start=1)
    ]


def picture(png: bytes | None, alt: str) -> Picture | None:
    """`png` for the page; None unless it starts as a PNG file does."""
    if png is None or len(png) < 24 or not png.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack(">II", png[16:24])
    uri = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return Picture(uri=uri, width=width, height=height, alt=alt)
