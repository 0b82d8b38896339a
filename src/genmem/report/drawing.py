"""One figure as files and as a part of the page.

Colours are those of the page's style sheet: the files carry its light ones, and the drawings on
the page name its variables instead, so that they follow the reader's light or dark screen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure.

    Attributes:
        name: its file name without an ending.
        group: the board it belongs to; "" for figures of several boards.
        title: what it shows.
        caption: what to look for in it.
        description: its main numbers, for those who cannot see it.
        svg: the file's bytes.
        png: the file's bytes.
    """

    name: str
    group: str
    title: str
    caption: str
    description: str
    svg: bytes
    png: bytes

    @property
    def inline(self) -> Markup:
        """The SVG element for the page: no XML head, ids of its own, the style sheet's colours."""
        text = self.svg.decode("utf-8")
        text = text[text.index("<svg ") :]
        for name, colour in palette().items():
            text = text.replace(colour, f"var(--{name})")
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{self.name}-", text)
        # The page scales it.
        return Markup(re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2))


@cache
def palette() -> dict[str, str]:
    """The style sheet's light colours by variable, as #rrggbb; every colour once."""
    sheet = resources.files("genmem.report").joinpath("templates/style.css").read_text("utf-8")
    light = sheet[: sheet.index("}")]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", light))
