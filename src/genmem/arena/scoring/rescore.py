"""Scores made anew when a side changes.

Where backbone, weights and image sets are the same, it is done at once, from FD and distance alone
and in one transaction. Otherwise it is queued, and features are used that are kept already.
"""

from __future__ import annotations

import numpy as np
from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Side
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import add_scores
from genmem.arena.scoring.models import Rescore
from genmem.metrics.penalty import penalty

_SETTINGS = ("backbone", "weights", "train", "reference")
"""What a side's FD and distances depend on; τ and ε only enter the penalty."""


def rescore(side: Side, reason: str, actor: User | None) -> int:
    """Score all scored submissions again under a side, as far as that is not done.

    Where only τ or ε differ from the side of the score in force, the new versions are there when
    this returns; the others are queued for workers. Calling it twice does nothing twice.

    Args:
        side: the newest version of a competition's public or private side.
        reason: written into the new versions.
        actor: who asked; None on the command line.

    Returns:
        How many submissions are scored again, now or soon.
    """
    with transaction.atomic():
        stale = list(_stale(side).select_for_update(of=("self",)))
        now = [one for one in stale if _same_sets(one.side, side)]
        scores = _penalised(now, side)
        add_scores(side, list(zip(now, scores, strict=True)), reason=reason)
        later = [one for one in stale if not _same_sets(one.side, side)]
        made = Rescore.objects.bulk_create(
            [
                Rescore(side=side, submission_id=one.submission_id, reason=reason, actor=actor)  # type: ignore[attr-defined]
                for one in later
            ],
            ignore_conflicts=True,
        )
    return len(now) + len(made)


def stale_count(side: Side) -> int:
    """How many scored submissions still have their score under an older version of this side."""
    return _stale(side).count()


def _stale(side: Side):
    return (
        ScoreVersion.objects.filter(
            side__competition=side.competition,
            side__kind=side.kind,
            side__version__lt=side.version,
            superseded_by=None,
            submission__state="scored",
        )
        .exclude(submission__rescores__side=side)
        .select_related("side")
        .order_by("pk")
    )


def _penalised(versions: list[ScoreVersion], side: Side) -> list[float | None]:
    """FD times the penalty of each version under another τ and ε; None where there is no score."""
    fd, distance = (
        np.array([getattr(one, name) for one in versions], dtype=np.float64)
        for name in ("fd", "distance")
    )
    found = fd * penalty(distance, side.tau, side.epsilon)
    known = ~(np.isnan(fd) | np.isnan(distance))
    return [
        float(score) if is_known else None for score, is_known in zip(found, known, strict=True)
    ]


def _same_sets(old: Side, new: Side) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in _SETTINGS)
