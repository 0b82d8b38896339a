"""Rescores: scoring submissions again when a split changes.

If backbone, weights and image sets stay the same, the new scores follow from FD and distance, and
are written at once, in one transaction. Otherwise a rescore is queued for workers (`rescore_task`),
which use the features that are stored already.
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

_SET_FIELDS = ("backbone", "weights", "train", "reference")
"""Fields of a split that its FD and distances depend on; τ and ε only enter the penalty."""


def rescore(split: Split, reason: str, actor: User | None) -> int:
    """Score all scored submissions again under a split, unless that is done or queued.

    If only τ or ε differ from the split of the score in force, the new versions exist when this
    returns. The others are queued for workers. A second call does nothing.

    Args:
        split: the newest version of a competition's public or private split.
        reason: written into the new versions.
        actor: who asked; None on the command line.

    Returns:
        The number of submissions that are scored again, now or later.
    """
    with transaction.atomic():
        stale = list(_stale(split).select_for_update(of=("self",)))
        same_sets = [version for version in stale if _has_same_sets(version.split, split)]
        scores = _new_scores(same_sets, split)
        add_scores(split, list(zip(same_sets, scores, strict=True)), reason=reason)
        queued = Rescore.objects.bulk_create(
            [
                Rescore(
                    split=split,
                    submission_id=version.submission_id,  # type: ignore[attr-defined]
                    reason=reason,
                    actor=actor,
                )
                for version in stale
                if not _has_same_sets(version.split, split)
            ],
            ignore_conflicts=True,
        )
    return len(same_sets) + len(queued)


def stale_count(split: Split) -> int:
    """The number of scored submissions whose score is of an older version of this split."""
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


def _new_scores(versions: list[ScoreVersion], split: Split) -> list[float | None]:
    """FD times the penalty of each version under another τ and ε; None without FD or distance."""
    fd, distance = (
        np.array([getattr(version, name) for version in versions], dtype=np.float64)
        for name in ("fd", "distance")
    )
    scores = fd * penalty(distance, split.tau, split.epsilon)
    missing = np.isnan(fd) | np.isnan(distance)
    return [
        None if is_missing else float(score)
        for score, is_missing in zip(scores, missing, strict=True)
    ]


def _has_same_sets(old: Split, new: Split) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in _SET_FIELDS)
