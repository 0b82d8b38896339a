"""A competition whose images are real, and its steps done one by one in this very process."""

from __future__ import annotations

import zipfile
from pathlib import Path

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.scoring.step_runner import perform
from genmem.arena.submissions.models import STEPS, Submission

from ..factories import a_competition, a_team, send
from ..images import COUNT, png

TRAIN = 12


def a_folder(path: Path, count: int, first: int) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"{number:03d}.png").write_bytes(png(first + number))
    return path


def a_real_competition(folder: Path, slug: str = "dogs", **splits) -> Competition:
    """Splits with 12 training images each, other ones on the private split."""
    made = a_competition(slug, daily_limit=100)
    train = {
        "public": a_folder(folder / slug / "public", TRAIN, 1000),
        "private": a_folder(folder / slug / "private", TRAIN, 2000),
    }
    for kind, path in train.items():
        a_split(made, kind, train=str(path), **splits)
    return made


def a_split(competition: Competition, kind: str, **changes) -> Split:
    """The next version of a split, with some fields changed."""
    old = Split.objects.filter(competition=competition, kind=kind).latest("version")
    names = ("backbone", "weights", "train", "reference", "tau", "epsilon")
    fields = {name: getattr(old, name) for name in names} | changes
    return Split.objects.create(
        competition=competition, kind=kind, version=old.version + 1, **fields
    )


def zipped(path: Path, seed: int = 0, images: list[bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(images or [png(seed + n) for n in range(COUNT)]):
            archive.writestr(f"{number}.png", content)
    return path


def sent(competition: Competition, folder: Path, seed: int = 0, **changes) -> Submission:
    path = zipped(folder / f"{seed}.zip", seed)
    return send(a_team(competition), path, **changes)


def take_steps(submission: Submission, *names: str) -> list[str]:
    """Do these steps, or all, as a workflow does; what each gave."""
    outcomes = []
    for name in names or STEPS:
        outcomes.append(perform(str(submission.pk), submission.round, name))
        if outcomes[-1] != "done":
            break
    submission.refresh_from_db()
    return outcomes
