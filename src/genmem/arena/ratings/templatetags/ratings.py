"""`{% load ratings %}`: whether there is something to rate, and numbers of ratings."""

from __future__ import annotations

from django import template

from genmem.arena.ratings.rounds import rounds_for
from genmem.arena.teams.permissions import Viewer
from genmem.results import Interval

register = template.Library()


@register.simple_tag
def has_ratings(viewer: Viewer) -> bool:
    """Whether the tab is shown: to organisers, and to those whom a round is open to."""
    return viewer.user is not None and (viewer.organiser or bool(rounds_for(viewer)))


@register.filter
def decimals(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


@register.filter
def interval(found: Interval | None) -> str:
    """An interval as "3.1 to 4.2"; "" for none."""
    return "" if found is None else f"{found.low:.2f} to {found.high:.2f}"


@register.filter
def part(mapping: dict, key: str) -> object:
    """What a mapping has under a key that is a variable."""
    return mapping[key]
