"""A competition with real images, submissions to it, and their steps run in this process."""

from __future__ import annotations

import zipfile
from pathlib import Path

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.scoring.step_runner import run_step
from genmem.arena.submissions.models import STEPS, Submission

from ..factories import a_competition, a_team, send
from ..images import COUNT, png

TRAIN = 12


def image_folder(path: Path, count: int, first: int) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"{number:03d}.png").write_bytes(png(first + number))
    return path


def competition_with_images(folder: Path, slug: str = "dogs", **splits) -> Competition:
    """Splits with 12 training images each, other images on the private split."""
    competition = a_competition(slug, daily_limit=100)
    train = {
        "public": image_folder(folder / slug / "public", TRAIN, 1000),
        "private": image_folder(folder / slug / "private", TRAIN, 2000),
    }
    for kind, path in train.items():
        new_split_version(competition, kind, train=str(path), **splits)
    return competition


def new_split_version(competition: Competition, kind: str, **changes) -> Split:
    """The next version of a split, with some fields changed."""
    old = Split.objects.filter(competition=competition, kind=kind).latest("version")
    names = ("backbone", "weights", "train", "reference", "tau", "epsilon")
    fields = {name: getattr(old, name) for name in names} | changes
    return Split.objects.create(
        competition=competition, kind=kind, version=old.version + 1, **fields
    )


def zip_images(path: Path, seed: int = 0, images: list[bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(images or [png(seed + n) for n in range(COUNT)]):
            archive.writestr(f"{number}.png", content)
    return path


def submit(competition: Competition, folder: Path, seed: int = 0, **changes) -> Submission:
    path = zip_images(folder / f"{seed}.zip", seed)
    return send(a_team(competition), path, **changes)


def run_steps(submission: Submission, *names: str) -> list[str]:
    """Run these steps, or all, as a worker does; their outcomes."""
    outcomes = []
    for name in names or STEPS:
        outcomes.append(run_step(submission, name))
        if outcomes[-1] != "done":
            break
    submission.refresh_from_db()
    return outcomes
