"""Scores made anew when a split changes.

Where backbone, weights and image sets are the same, it is done at once, from FD and distance alone
and in one transaction. Otherwise it is queued, and features are used that are kept already.
"""

from __future__ import annotations

import numpy as np
from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Split
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import add_scores
from genmem.arena.scoring.models import Rescore
from genmem.metrics.mifid import penalty

_SETTINGS = ("backbone", "weights", "train", "reference")
"""What a split's FD and distances depend on; τ and ε only enter the penalty."""


def rescore(split: Split, reason: str, actor: User | None) -> int:
    """Score all scored submissions again under a split, as far as that is not done.

    Where only τ or ε differ from the split of the score in force, the new versions are there when
    this returns; the others are queued for workers. Calling it twice does nothing twice.

    Args:
        split: the newest version of a competition's public or private split.
        reason: written into the new versions.
        actor: who asked; None on the command line.

    Returns:
        How many submissions are scored again, now or soon.
    """
    with transaction.atomic():
        stale = list(_stale(split).select_for_update(of=("self",)))
        now = [one for one in stale if _same_sets(one.split, split)]
        scores = _penalised(now, split)
        add_scores(split, list(zip(now, scores, strict=True)), reason=reason)
        later = [one for one in stale if not _same_sets(one.split, split)]
        made = Rescore.objects.bulk_create(
            [
                Rescore(split=split, submission_id=one.submission_id, reason=reason, actor=actor)  # type: ignore[attr-defined]
                for one in later
            ],
            ignore_conflicts=True,
        )
    return len(now) + len(made)


def stale_count(split: Split) -> int:
    """How many scored submissions still have their score under an older version of this split."""
    return _stale(split).count()


def _stale(split: Split):
    return (
        ScoreVersion.objects.filter(
            split__competition=split.competition,
            split__kind=split.kind,
            split__version__lt=split.version,
            superseded_by=None,
            submission__state="scored",
        )
        .exclude(submission__rescores__split=split)
        .select_related("split")
        .order_by("pk")
    )


def _penalised(versions: list[ScoreVersion], split: Split) -> list[float | None]:
    """FD times the penalty of each version under another τ and ε; None where there is no score."""
    fd, distance = (
        np.array([getattr(one, name) for one in versions], dtype=np.float64)
        for name in ("fd", "distance")
    )
    found = fd * penalty(distance, split.tau, split.epsilon)
    known = ~(np.isnan(fd) | np.isnan(distance))
    return [
        float(score) if is_known else None for score, is_known in zip(found, known, strict=True)
    ]


def _same_sets(old: Split, new: Split) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in _SETTINGS)
