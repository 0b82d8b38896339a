"""What a `DuplicateSearch` shows of itself."""

from __future__ import annotations

from typing import Any

from genmem.deduplication.results import DuplicateSearch, Match
from genmem.errors import GenmemError
from genmem.formatting import printable
from genmem.report.common.images import Picture, PictureGroup, pictures
from genmem.report.common.tables import Table
from genmem.report.common.verdict import Banner
from genmem.report.duplicates.page import summary
from genmem.report.duplicates.tables import pairs_table
from genmem.report.notebook.fragment import PAIRS, fragment, small_picture
from genmem.report.notebook.frames import check_pandas, data_frame

_SHOWN = 10
"""Pairs in the table and in the text."""


def text(result: DuplicateSearch) -> str:
    """A few lines."""
    lines = [
        f"{_name(result, match.first)} = {_name(result, match.second)} ({match.kind})"
        for match in result.matches[:_SHOWN]
    ]
    more = len(result.matches) - len(lines)
    return "\n".join(
        [_summary(result), *lines, *([f"and {more:,} more pairs"] if more > 0 else [])]
    )


def html(result: DuplicateSearch) -> str:
    """The search as HTML for a notebook."""
    return fragment(
        kind="duplicates",
        title=" against ".join(printable(one.source) for one in result.inputs.values()),
        finding=Banner(
            level="doubt" if result.clusters else "clear",
            word="Repeated pictures" if result.clusters else "No repeated pictures",
            sentence=_summary(result),
        ),
        table=Table(
            caption="Pairs",
            columns=("first", "second", "how", "agreement"),
            rows=tuple(
                (
                    _name(result, match.first),
                    _name(result, match.second),
                    match.kind,
                    f"{match.agreement:.3f}",
                )
                for match in result.matches[:_SHOWN]
            ),
        ),
        groups=[group for match in result.matches[:PAIRS] if (group := _group(result, match))],
    )


def frame(result: DuplicateSearch) -> Any:
    """`DuplicateSearch.to_pandas`."""
    check_pandas()
    return data_frame(pairs_table(result))


def _summary(result: DuplicateSearch) -> str:
    return summary(result).replace(" (delete.txt)", " (`.deleted`)")


def _name(result: DuplicateSearch, row: int) -> str:
    return printable(result.images[row].id)


def _group(result: DuplicateSearch, match: Match) -> PictureGroup | None:
    shown = pictures(_picture(result, match.first), _picture(result, match.second))
    if len(shown) < 2:
        return None
    return PictureGroup(
        heading=match.kind,
        aside="",
        pictures=shown,
        names=(_name(result, match.first), _name(result, match.second)),
        connector="and",
    )


def _picture(result: DuplicateSearch, row: int) -> Picture | None:
    """The picture of a row, while the files are open."""
    if result.pictures is None:
        return None
    try:
        content = (
            result.pictures.train(row)
            if row < result.train
            else result.pictures.test(row - result.train)
        )
    except (GenmemError, OSError, ValueError, IndexError):  # the files are closed, or gone
        return None
    return small_picture(content, f"Image {_name(result, row)}")
