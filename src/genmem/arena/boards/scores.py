"""The scores in force: of each submission and side, the version that nothing supersedes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction

from genmem.arena.boards.models import ScoreVersion
from genmem.arena.boards.ranking import Entry
from genmem.arena.competitions.models import Competition, Side
from genmem.arena.submissions.models import Submission


def scores_in_force(
    submissions: Iterable[Submission], *, private: bool
) -> dict[uuid.UUID, dict[str, ScoreVersion]]:
    """By submission, by kind of side ("public", "private"); private ones only where asked for."""
    found: dict[uuid.UUID, dict[str, ScoreVersion]] = {}
    versions = ScoreVersion.objects.filter(
        submission__in=list(submissions), superseded_by=None
    ).select_related("side", "submission")
    for version in versions.order_by("side__version"):
        if private or version.side.kind == "public":
            found.setdefault(version.submission.pk, {})[version.side.kind] = version
    return found


def entries(competition: Competition, kind: str) -> list[Entry]:
    """Every scored submission of a competition with its score in force on one side."""
    rows = (
        ScoreVersion.objects.filter(
            side__competition=competition,
            side__kind=kind,
            superseded_by=None,
            submission__state="scored",
        )
        .order_by("side__version")
        .values_list("submission_id", "submission__team_id", "score", "submission__received_at")
    )
    newest = {
        row[0]: Entry(team=row[1], submission=str(row[0]), score=row[2], received_at=row[3])
        for row in rows.iterator()
    }
    return list(newest.values())


def add_score(
    submission: Submission,
    side: Side,
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
    """Write a score, replacing the one in force on this kind of side, if there is one."""
    with transaction.atomic():
        current = (
            ScoreVersion.objects.select_for_update(of=("self",))
            .filter(
                submission=submission,
                side__competition=side.competition,
                side__kind=side.kind,
                superseded_by=None,
            )
            .order_by("-side__version", "-pk")
            .first()
        )
        return ScoreVersion.objects.create(
            submission=submission,
            side=side,
            fd=fd,
            distance=distance,
            score=score,
            tau=tau,
            epsilon=epsilon,
            backbone=side.backbone,
            weights_sha256=weights_sha256,
            distances=distances,
            supersedes=current,
            reason=reason,
        )
