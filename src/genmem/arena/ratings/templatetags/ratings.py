"""`{% load ratings %}`: whether there is something to rate, and numbers of ratings."""

from __future__ import annotations

from django import template

from genmem.arena.ratings.rounds import rounds_for
from genmem.arena.teams.permissions import Viewer
from genmem.results import Interval

register = template.Library()


@register.simple_tag
def has_ratings(viewer: Viewer) -> bool:
    """Whether to show the tab: to organizers, and to raters of an open round."""
    return viewer.user is not None and (viewer.organizer or bool(rounds_for(viewer)))


@register.filter
def decimals(value: float | None, digits: int = 2) -> str:
    """A number with this many decimals; a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}"


@register.filter
def interval(value: Interval | None) -> str:
    """An interval as "3.1 to 4.2"; "" for None."""
    return "" if value is None else f"{value.low:.2f} to {value.high:.2f}"


@register.filter
def get_item(mapping: dict, key: str) -> object:
    """The value of a key that is a variable."""
    return mapping[key]
