"""The scores in force: of each submission and split, the version that nothing supersedes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.leaderboards.cache import in_force, kept, score_stamp
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.ranking import Entry
from genmem.arena.submissions.models import Submission


def scores_in_force(
    submissions: Iterable[Submission], *, private: bool
) -> dict[uuid.UUID, dict[str, ScoreVersion]]:
    """By submission, by kind of split ("public", "private"); private ones only where asked for.

    Nothing is shown of a submission before both its scores are published, so that none which fails
    half-way (and so costs no attempt) tells its public score.
    """
    found: dict[uuid.UUID, dict[str, ScoreVersion]] = {}
    versions = ScoreVersion.objects.filter(
        submission__in=[one for one in submissions if one.state == "scored"], superseded_by=None
    ).select_related("split", "submission")
    for version in versions.order_by("split__version"):
        if private or version.split.kind == "public":
            found.setdefault(version.submission.pk, {})[version.split.kind] = version
    return found


def entries(competition: Competition, kind: str, *, with_disqualified: bool = False) -> list[Entry]:
    """Every scored submission of a competition with its score in force on one split.

    Disqualified ones are left out unless asked for.
    """
    every = kept(
        ("entries", competition.pk, kind),
        score_stamp(),
        lambda: [
            Entry(
                team=row.team,
                submission=row.submission,
                score=row.score,
                received_at=row.received_at,
            )
            for row in in_force(competition, kind)
        ],
    )
    gone = set() if with_disqualified else {str(one) for one in disqualified_ids(competition)}
    return [one for one in every if one.submission not in gone]


def add_score(
    submission: Submission,
    split: Split,
    *,
    fd: float | None,
    distance: float | None,
    score: float | None,
    tau: float,
    epsilon: float,
    weights_sha256: str = "",
    distances: str = "",
    reason: str = "",
) -> ScoreVersion:
    """Write a score, replacing the one in force on this kind of split, if there is one."""
    with transaction.atomic():
        current = (
            ScoreVersion.objects.select_for_update(of=("self",))
            .filter(
                submission=submission,
                split__competition=split.competition,
                split__kind=split.kind,
                superseded_by=None,
            )
            .order_by("-split__version", "-pk")
            .first()
        )
        return ScoreVersion.objects.create(
            submission=submission,
            split=split,
            fd=fd,
            distance=distance,
            score=score,
            tau=tau,
            epsilon=epsilon,
            backbone=split.backbone,
            weights_sha256=weights_sha256,
            distances=distances,
            supersedes=current,
            reason=reason,
        )


def add_scores(
    split: Split, scores: Iterable[tuple[ScoreVersion, float | None]], *, reason: str
) -> int:
    """Write many scores under a newer version of a split, each in place of one from the same sets.

    Args:
        split: the newer version.
        scores: the version in force with the new score; FD, distance and files stay.
        reason: why.

    Returns:
        How many were written.
    """
    rows = [
        ScoreVersion(
            submission_id=old.submission_id,  # type: ignore[attr-defined]
            split=split,
            fd=old.fd,
            distance=old.distance,
            score=score,
            tau=split.tau,
            epsilon=split.epsilon,
            backbone=split.backbone,
            weights_sha256=old.weights_sha256,
            distances=old.distances,
            supersedes=old,
            reason=reason,
        )
        for old, score in scores
    ]
    return len(ScoreVersion.objects.bulk_create(rows, batch_size=500))
