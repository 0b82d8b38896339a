"""Labels, decisions and kept distances for tests; imported inside them, once Django is loaded."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import split_in_force
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import Scores, add_score
from genmem.arena.moderation.decisions import decide, rebut
from genmem.arena.moderation.models import Rebuttal
from genmem.arena.moderation.reviews import add_label
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Team

from ..factories import a_user, captain, scored
from ..images import COUNT, a_zip, png


def a_train_folder(folder: Path, count: int = COUNT) -> Path:
    """Training images of which the first are those of `a_zip`."""
    (folder / "train").mkdir()
    for number in range(count):
        (folder / "train" / f"t{number:04d}.png").write_bytes(png(number))
    return folder / "train"


def keep_distances(submission: Submission, *, kind: str = "private") -> None:
    """A zip of images for the submission, and a new score with per-image distances."""
    with TemporaryDirectory() as folder:
        path = a_zip(Path(folder) / "x.zip")
        storage.store_file(path, f"submissions/{submission.pk}.zip")
        kept = Path(folder) / "d.npz"
        np.savez(
            kept,
            distance=np.linspace(0.3, 0.0, COUNT, dtype=np.float32),
            train=np.arange(COUNT, dtype=np.int64),
            names=np.array([f"{number:04d}.png" for number in range(COUNT)]),
        )
        name = f"distances/{submission.pk}/space.npz"
        storage.store_file(kept, name)
    Submission.objects.filter(pk=submission.pk).update(file=f"submissions/{submission.pk}.zip")
    split = split_in_force(submission.team.competition, kind)
    assert split is not None
    current = ScoreVersion.objects.get(submission=submission, split__kind=kind, superseded_by=None)
    add_score(
        submission,
        split,
        Scores(fd=current.fd, distance=current.distance, score=current.score),
        distances=name,
        reason="distances kept",
    )


def disqualified_and_rebutted(team: Team) -> Rebuttal:
    """Another submission of a team, taken off the boards; the team objects."""
    made = decide(scored(team, 30.0, private=40.0), "disqualified", reason="Copies.", by=None)
    return rebut(made, text="They are ours.", by=captain(team))


def labelled(submission: Submission, *labels: str, by: list[User] | None = None) -> list[User]:
    """Labels of as many reviewers."""
    people = by or [a_user() for _ in labels]
    for person, label in zip(people, labels, strict=True):
        add_label(submission, label, reason="seen", by=person)
    return people
