"""Read the scores in force, and write new score versions.

The score in force of a submission on a split is the version that no other supersedes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.leaderboards.cache import current_scores
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.ranking import ScoredSubmission
from genmem.arena.submissions.models import Submission


def scores_in_force(
    submissions: Iterable[Submission], *, private: bool
) -> dict[uuid.UUID, dict[str, ScoreVersion]]:
    """The scores in force of these submissions, by submission and kind of split.

    A submission's scores are shown once both are published: otherwise a submission that fails
    half-way, and so costs no attempt, would reveal its public score.

    Args:
        submissions: any; only scored ones are in the result.
        private: whether private scores are included.
    """
    scores: dict[uuid.UUID, dict[str, ScoreVersion]] = {}
    scored = [submission for submission in submissions if submission.state == "scored"]
    versions = ScoreVersion.objects.filter(
        submission__in=scored, superseded_by=None
    ).select_related("split", "submission")
    for version in versions.order_by("split__version"):
        if private or version.split.kind == "public":
            scores.setdefault(version.submission.pk, {})[version.split.kind] = version
    return scores


def scored_submissions(
    competition: Competition, kind: str, *, with_disqualified: bool = False
) -> list[ScoredSubmission]:
    """Every scored submission of a competition with its score in force on one split.

    Args:
        competition: whose submissions.
        kind: "public" or "private".
        with_disqualified: whether disqualified submissions are included.
    """
    submissions = current_scores(competition, kind)
    if with_disqualified:
        return submissions
    disqualified = {str(pk) for pk in disqualified_ids(competition)}
    return [submission for submission in submissions if submission.id not in disqualified]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A score and its parts; None is N/A.

    Attributes:
        fd: Fréchet distance.
        distance: memorization distance.
        fd_floor: FD up to which it is 0 but for rounding; None also where it is not known.
        score: MiFID, FD with the penalty.
        note: why there is no score; "" if there is one.
    """

    fd: float | None = None
    distance: float | None = None
    fd_floor: float | None = None
    score: float | None = None
    note: str = ""


def add_score(
    submission: Submission,
    split: Split,
    scores: Scores,
    *,
    weights_sha256: str = "",
    distances: str = "",
    reason: str = "",
) -> ScoreVersion:
    """Write a score with the split's τ and ε; it supersedes the one in force on this kind of split.

    Args:
        submission: whose score.
        split: the split under which it was scored.
        scores: the score and its parts.
        weights_sha256: of the backbone's weights; "" for a backbone without a file.
        distances: path of the per-image distances, relative to the storage folder; "" for none.
        reason: why there is a new version; "" the first time.
    """
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
            fd=scores.fd,
            distance=scores.distance,
            fd_floor=scores.fd_floor,
            score=scores.score,
            tau=split.tau,
            epsilon=split.epsilon,
            backbone=split.backbone,
            weights_sha256=weights_sha256,
            distances=distances,
            supersedes=current,
            reason=reason,
        )


def add_scores(
    split: Split, scores: Iterable[tuple[ScoreVersion, float | None]], *, reason: str
) -> int:
    """Write many scores under a newer version of a split that uses the same images and backbone.

    Args:
        split: the newer version.
        scores: pairs of a version in force and its new score; FD, distance and files stay.
        reason: why.

    Returns:
        The number of scores written.
    """
    rows = [
        ScoreVersion(
            submission_id=old.submission_id,  # type: ignore[attr-defined]
            split=split,
            fd=old.fd,
            distance=old.distance,
            fd_floor=old.fd_floor,
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
