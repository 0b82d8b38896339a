"""What is done in each step. Every one of them can be done again, by anybody, without harm."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from genmem.arena.competitions.models import Competition, Split, split_in_force
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import add_score
from genmem.arena.scoring import evaluate, reference_features
from genmem.arena.scoring.steps import Failure, Refusal, Work, finish, tell
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Step, Submission
from genmem.arena.submissions.validate import Rejected, validate
from genmem.arena.submissions.zip_limits import limits_for

TELL_EVERY = 3.0
"""Seconds between two lines that say how far a step is."""


def do_validate(work: Work, stir: Callable[[], None]) -> None:
    """Check the images against what the competition asks for."""
    submission = work.submission
    competition = submission.team.competition
    with _local(submission.images_zip) as path:
        size = path.stat().st_size
        limits = limits_for(
            count=competition.image_count,
            width=competition.image_width,
            height=competition.image_height,
            zip_bytes=max(size, competition.maximum_upload_bytes),
        )
        try:
            found = validate(
                path,
                count=competition.image_count,
                width=competition.image_width,
                height=competition.image_height,
                formats=competition.image_formats,
                limits=limits,
            )
        except Rejected as error:
            raise Refusal(error.text) from error
    work.log.append(
        f"{len(found.names):,} images of {competition.image_width} × {competition.image_height} "
        "pixels, all as asked for."
    )
    with transaction.atomic():
        finish(work)


def do_features(work: Work, stir: Callable[[], None]) -> None:
    """Compute features and distances on the split that the step's name begins with."""
    split = _split(work)
    space = _features(work, split, stir)
    work.log.append(f"Features and nearest training images by {split.backbone}.")
    work.detail.append(f"{split}, space {space.name}")
    with transaction.atomic():
        finish(work)


def do_score(work: Work, stir: Callable[[], None]) -> None:
    """Write the score on the split that the step's name begins with: once, whatever happens."""
    split = _split(work)
    # The split may have changed since its features step; mostly everything is there.
    space = _features(work, split, stir)
    found = evaluate.score_in(work.submission.pk, split, space)
    stir()
    work.log.append(found.note or "Fréchet distance, memorization distance and penalty computed.")
    with transaction.atomic():
        if not finish(work):
            return
        if not _first_versions(work.submission, split).exists():
            add_score(
                work.submission,
                split,
                fd=found.fd,
                distance=found.distance,
                score=found.score,
                tau=split.tau,
                epsilon=split.epsilon,
                weights_sha256=space.weights_sha256,
                distances=evaluate.distances_name(work.submission.pk, space),
            )


def do_publish(work: Work, stir: Callable[[], None]) -> None:
    """Both scores are there: the submission stands on the boards from here on."""
    with transaction.atomic():
        submission = Submission.objects.select_for_update(of=("self",)).get(pk=work.submission.pk)
        kinds = set(
            ScoreVersion.objects.filter(submission=submission).values_list("split__kind", flat=True)
        )
        missing = {"public", "private"} - kinds
        if missing:
            raise Failure(f"there is no {' and no '.join(sorted(missing))} score to publish")
        work.log.append("On the boards.")
        if finish(work):
            submission.state, submission.message = "scored", ""
            submission.counts_against_limit = True
            submission.save(update_fields=["state", "message", "counts_against_limit"])


WORK: dict[str, Callable[[Work, Callable[[], None]], None]] = {
    "validate": do_validate,
    "public features": do_features,
    "public score": do_score,
    "private features": do_features,
    "private score": do_score,
    "publish": do_publish,
}


def _first_versions(submission: Submission, split: Split):
    return ScoreVersion.objects.filter(submission=submission, split__kind=split.kind)


def _split(work: Work) -> Split:
    kind = work.name.partition(" ")[0]
    split = split_in_force(work.submission.team.competition, kind)
    if split is None:
        raise Failure(f"the competition has no {kind} split: set it up, then score again")
    return split


def _features(work: Work, split: Split, stir: Callable[[], None]) -> reference_features.Space:
    told = _teller(work, stir)
    space = reference_features.space_of(split, told=told)
    competition: Competition = work.submission.team.competition
    evaluate.make_features(
        work.submission.pk,
        work.submission.images_zip,
        split,
        space,
        count=competition.image_count,
        told=told,
    )
    return space


def _teller(work: Work, stir: Callable[[], None]) -> reference_features.Told:
    last = [time.monotonic()]

    def told(stage: str, done: int, total: int | None) -> None:
        stir()
        now = time.monotonic()
        if now - last[0] < TELL_EVERY:
            return
        last[0] = now
        plain = "images read" if stage.startswith("reading") else stage.partition(" of ")[0]
        tell(work, f"{plain}: {done:,} of {total:,}" if total else f"{plain} …")

    return told


class _local:  # noqa: N801
    """`storage.local`, whose absence is a failure of ours."""

    def __init__(self, name: str) -> None:
        self._name, self._opened = name, storage.local(name)

    def __enter__(self) -> Path:
        try:
            return self._opened.__enter__()
        except FileNotFoundError as error:
            raise Failure(f"{self._name} is missing in storage") from error

    def __exit__(self, *reason: object) -> bool | None:
        return self._opened.__exit__(*reason)  # type: ignore[arg-type]


def has_step(submission: Submission, name: str, state: str) -> bool:
    """Whether a step of a submission is in this state."""
    return Step.objects.filter(submission=submission, name=name, state=state).exists()
