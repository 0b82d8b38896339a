"""Labels and decisions for templates: `{% load moderation %}`."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.consensus import LEGITIMATE, Verdict
from genmem.arena.moderation.models import LABELS
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer

register = template.Library()


@register.filter
def label_word(label: str) -> str:
    """A label as shown; "" for none."""
    return dict(LABELS).get(label, "")


@register.filter
def short(value: float) -> str:
    """A distance or τ with at most four decimals."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


@register.filter
def pretty(value: Any) -> str:
    """JSON, one name a line."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def verdict_state(found: Verdict) -> SafeString:
    """What the labels come to, as a state."""
    if found.label:
        kind = "done" if found.clean else "failed"
        return format_html(
            '<span class="state {}">{}, agreed</span>', kind, label_word(found.label)
        )
    if found.disputed:
        return format_html('<span class="state running">{}</span>', "Disputed")
    if not found.given:
        return format_html('<span class="state">{}</span>', "No label")
    kind = "open" if found.leaning == LEGITIMATE else "running"
    return format_html(
        '<span class="state {}">{}, one label</span>', kind, label_word(found.leaning)
    )


@register.simple_tag
def decisions_on(submission: Submission, viewer: Viewer) -> list[dict[str, Any]]:
    """The decisions on a submission, newest first, as its team may see them."""
    if submission.state != "scored":
        return []
    found = (
        Decision.objects.filter(submission=submission)
        .select_related("rebuttal__by", "rebuttal__answer")
        .order_by("-pk")
    )
    member = viewer.team is not None and viewer.team.pk == submission.team.pk
    rows = []
    for place, one in enumerate(found):
        rebuttal = getattr(one, "rebuttal", None)
        rows.append(
            {
                "decision": one,
                "in_force": place == 0,
                "rebuttal": rebuttal,
                "answer": getattr(rebuttal, "answer", None),
                "may_rebut": member
                and place == 0
                and one.kind == "disqualified"
                and rebuttal is None,
            }
        )
    return rows
