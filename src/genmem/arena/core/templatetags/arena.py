"""Template filters that format times, sizes and scores: `{% load arena %}`."""

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
    """Render a deadline as `<time>` in UTC, with seconds where they are not 0."""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at))


@register.filter
def minute(at: datetime) -> SafeString:
    """Render a past event as `<time>` in UTC, to the minute."""
    return format_html(
        '<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at, seconds=False)
    )


@register.filter
def exact(at: datetime) -> SafeString:
    """Render a `<time>` in UTC, to the second."""
    return format_html(
        '<time datetime="{}">{}</time>', at.isoformat(), formatting.moment(at, seconds=True)
    )


@register.filter
def relative(at: datetime) -> str:
    """Format the distance from now: "in 12 days"."""
    return formatting.relative(at, clock.now())


@register.filter
def lasted(length: timedelta) -> str:
    """Format how long something took: "0.4 s", "12 minutes"."""
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else formatting.span(length)


@register.filter
def markdown(text: str) -> SafeString:
    """Render Markdown as sanitized HTML."""
    return mark_safe(safe_html(text))


@register.filter
def plain(value: float) -> str:
    """Format a number as a user would type it: "0.1", "1e-15"."""
    return f"{value:g}"


register.filter("plural", count)
