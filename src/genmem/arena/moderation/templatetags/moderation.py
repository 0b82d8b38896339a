"""Labels and decisions for templates: `{% load moderation %}`."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.consensus import LEGITIMATE, Consensus
from genmem.arena.moderation.models import LABELS
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer

register = template.Library()


@register.filter
def label_title(label: str) -> str:
    """A label as shown; "" for none."""
    return dict(LABELS).get(label, "")


@register.filter
def short(value: float) -> str:
    """A distance or τ with at most four decimals."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


@register.filter
def pretty_json(value: Any) -> str:
    """JSON with one name per line."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def consensus_badge(consensus: Consensus) -> SafeString:
    """The consensus of a submission's labels as a badge."""
    if consensus.label:
        state, text = "done" if consensus.legitimate else "failed", "{}, agreed"
    elif consensus.disputed:
        state, text = "running", "Disputed"
    elif not consensus.count:
        state, text = "", "No label"
    else:
        state = "open" if consensus.unanimous == LEGITIMATE else "running"
        text = "{}, one label"
    text = text.format(label_title(consensus.label or consensus.unanimous))
    return format_html('<span class="state {}">{}</span>', state, text)


@register.simple_tag
def decisions_on(submission: Submission, viewer: Viewer) -> list[dict[str, Any]]:
    """The decisions on a submission, newest first, as its team may see them."""
    if submission.state != "scored":
        return []
    decisions = (
        Decision.objects.filter(submission=submission)
        .select_related("rebuttal__by", "rebuttal__answer")
        .order_by("-pk")
    )
    member = viewer.team is not None and viewer.team.pk == submission.team.pk
    rows = []
    for position, decision in enumerate(decisions):
        disqualifies = position == 0 and decision.kind == "disqualified"
        rebuttal = getattr(decision, "rebuttal", None)
        rows.append(
            {
                "decision": decision,
                "disqualifies": disqualifies,
                "rebuttal": rebuttal,
                "answer": getattr(rebuttal, "answer", None),
                "may_rebut": member and disqualifies and rebuttal is None,
            }
        )
    return rows
