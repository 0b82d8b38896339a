"""What each step does. Every step may be done again, by any worker, without harm."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import transaction

from genmem.arena.competitions.models import Split, split_in_force
from genmem.arena.core.heartbeat import beat
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import Scores, add_score
from genmem.arena.scoring import evaluate, reference_features
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.scoring.steps import Attempt, finish, show_progress
from genmem.arena.scoring.stored_names import distances_name
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.validate import InvalidImages, validate
from genmem.arena.submissions.zip_index import limits_for
from genmem.images import Progress

SHOW_PROGRESS_EVERY = 3.0
"""Seconds between two lines that show how far a step is."""


def run_validate(attempt: Attempt) -> None:
    """Check the images against the competition's requirements."""
    submission = attempt.submission
    competition = submission.team.competition
    if not storage.exists(submission.images_zip):
        raise SetupError(f"{submission.images_zip} is missing in storage")
    with storage.local(submission.images_zip) as path:
        limits = limits_for(
            count=competition.image_count,
            width=competition.image_width,
            height=competition.image_height,
            zip_bytes=max(path.stat().st_size, competition.maximum_upload_bytes),
        )
        try:
            images = validate(
                path,
                count=competition.image_count,
                width=competition.image_width,
                height=competition.image_height,
                formats=competition.image_formats,
                limits=limits,
            )
        except InvalidImages as error:
            raise SubmissionError(error.text) from error
    attempt.log.append(
        f"{len(images.names):,} images of {competition.image_width} × {competition.image_height} "
        "pixels, all valid."
    )
    with transaction.atomic():
        finish(attempt)


def run_features(attempt: Attempt) -> None:
    """Compute features and distances on the split that the step's name begins with."""
    split = _split(attempt)
    space = _compute_features(attempt, split)
    attempt.log.append(f"Features and nearest training images by {split.backbone}.")
    attempt.detail.append(f"{split}, space {space.name}")
    with transaction.atomic():
        finish(attempt)


def run_score(attempt: Attempt) -> None:
    """Write the score on the split that the step's name begins with, exactly once."""
    split = _split(attempt)
    # Mostly everything is stored already, but the split may have changed since its features step.
    space = _compute_features(attempt, split)
    scores = evaluate.score_in(attempt.submission.pk, split, space)
    beat()
    attempt.log.append(
        scores.note or "Fréchet distance, memorization distance and penalty computed."
    )
    with transaction.atomic():
        if not finish(attempt):
            return
        versions = ScoreVersion.objects.filter(submission=attempt.submission)
        if not versions.filter(split__kind=split.kind).exists():
            save_score(attempt.submission, split, space, scores)


def run_publish(attempt: Attempt) -> None:
    """Show the submission on the leaderboards, once both its scores are there."""
    with transaction.atomic():
        rows = Submission.objects.select_for_update(of=("self",))
        submission = rows.get(pk=attempt.submission.pk)
        versions = ScoreVersion.objects.filter(submission=submission)
        missing = {"public", "private"} - set(versions.values_list("split__kind", flat=True))
        if missing:
            raise SetupError(f"there is no {' and no '.join(sorted(missing))} score to publish")
        attempt.log.append("On the leaderboards.")
        if finish(attempt):
            submission.state, submission.message = "scored", ""
            submission.counts_against_limit = True
            submission.save(update_fields=["state", "message", "counts_against_limit"])


STEP_FUNCTIONS: dict[str, Callable[[Attempt], None]] = {
    "validate": run_validate,
    "public features": run_features,
    "public score": run_score,
    "private features": run_features,
    "private score": run_score,
    "publish": run_publish,
}


def save_score(
    submission: Submission,
    split: Split,
    space: reference_features.Space,
    scores: Scores,
    *,
    reason: str = "",
) -> None:
    """Write a score version.

    Args:
        submission: the submission.
        split: the split under which it was scored.
        space: the split's space.
        scores: the score and its parts.
        reason: why it was scored again; "" the first time.
    """
    add_score(
        submission,
        split,
        scores,
        weights_sha256=space.weights_sha256,
        distances=distances_name(submission.pk, space.name),
        reason=reason,
    )


def _split(attempt: Attempt) -> Split:
    kind = attempt.name.partition(" ")[0]
    split = split_in_force(attempt.submission.team.competition, kind)
    if split is None:
        raise SetupError(f"the competition has no {kind} split: set it up, then score again")
    return split


def _compute_features(attempt: Attempt, split: Split) -> reference_features.Space:
    progress = _progress(attempt)
    space = reference_features.space_of(split, progress=progress)
    evaluate.compute_features(attempt.submission, split, space, progress=progress)
    return space


def _progress(attempt: Attempt) -> Progress:
    """A callback that shows the team how far the step is, every few seconds."""
    last = time.monotonic()

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        beat()
        now = time.monotonic()
        if now - last < SHOW_PROGRESS_EVERY:
            return
        last = now
        label = "images read" if stage.startswith("reading") else stage.partition(" of ")[0]
        show_progress(attempt, f"{label}: {done:,} of {total:,}" if total else f"{label} …")

    return progress
