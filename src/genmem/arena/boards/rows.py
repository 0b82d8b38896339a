"""A board's rows as HTML, written without a template: a thousand of them in a few milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from genmem.arena.boards.boards import Row
from genmem.arena.site import words


def rows_html(rows: Iterable[Row]) -> SafeString:
    """The `<tbody>` of a board."""
    return mark_safe("\n".join(("<tbody>", *map(_row, rows), "</tbody>")))


def _row(row: Row) -> str:
    place = "–" if row.rank is None else str(row.rank)
    received = words.moment(row.received_at, seconds=False)
    return (
        f'<tr id="team-{row.team_id}"><td class="value rank">{place}</td>'
        f'<th scope="row"><bdi>{escape(row.name)}</bdi></th>'
        f'<td class="value score">{words.score(row.score)}</td>'
        f'<td class="value count">{row.submissions}</td>'
        f'<td class="time"><time datetime="{row.received_at.isoformat()}">{received}</time></td>'
        "</tr>"
    )
