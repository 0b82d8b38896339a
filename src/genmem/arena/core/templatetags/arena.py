"""Words for templates: `{% load arena %}`."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from genmem.arena.core import clock, formatting
from genmem.arena.core.markdown import safe_html
from genmem.formatting import count

register = template.Library()
register.filter("size", formatting.size)
register.filter("duration", formatting.duration)
register.filter("score", formatting.score)


@register.filter
def moment(at: datetime) -> SafeString:
    """A `<time>` in UTC: for deadlines, whose seconds are shown where they matter."""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at))


@register.filter
def minute(at: datetime) -> SafeString:
    """A `<time>` in UTC, to the minute: for what happened."""
    return format_html(
        '<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at, seconds=False)
    )


@register.filter
def exact(at: datetime) -> SafeString:
    """A `<time>` in UTC, to the second."""
    return format_html(
        '<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at, seconds=True)
    )


@register.filter
def relative(at: datetime) -> str:
    """How far from now: "in 12 days"."""
    return formatting.relative(at, clock.now())


@register.filter
def lasted(length: timedelta) -> str:
    """How long something took: "0.4 s", "12 minutes"."""
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else formatting.span(length)


@register.filter
def markdown(text: str) -> SafeString:
    """Sanitised HTML of a Markdown text."""
    return mark_safe(safe_html(text))


@register.filter
def plain(value: float) -> str:
    """A number as it would be typed in: "0.1", "1e-15"."""
    return f"{value:g}"


register.filter("plural", count)
