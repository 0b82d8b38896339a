"""The rows of a competition's results table as scored submissions of an arena.

The table is that of the Generative Dog Images competition; see `studies.replay`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genmem.calibration import Labels, penalized_score, read_table

if TYPE_CHECKING:
    from genmem.arena.competitions.models import Competition, Split
    from genmem.arena.submissions.models import Submission

Floats = NDArray[np.float64]

TAUS = {"public": 0.1, "private": 0.25}
LABELS: dict[str, str] = {
    "non-mem": "legitimate",
    "mgan": "MGAN",
    "sup": "SUP",
    "aug": "AUG",
    "ae": "AE",
}
SUBMISSIONS, TEAMS = 11_192, 924
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Submissions of a competition, in order of receipt.

    Attributes:
        ids: as in the table, or generated.
        teams: number of each one's team, from 0.
        fd, distance: by kind of split, float64 [n].
        labels: of the arena; "" where nobody reviewed the submission.
    """

    ids: Sequence[str]
    teams: Sequence[int]
    fd: dict[str, Floats]
    distance: dict[str, Floats]
    labels: Sequence[str]


def table_rows(path: Path) -> Rows:
    """Read the public table; each row is a team of its own."""
    columns = {kind: (f"FID_{kind}", f"distance_{kind}") for kind in TAUS}
    table = read_table(
        path,
        numbers=[name for pair in columns.values() for name in pair],
        label="labels",
        labels=Labels(),
        identifier="submission_id",
    )
    return Rows(
        ids=table.ids,
        teams=range(len(table)),
        fd={kind: table.numbers[pair[0]] for kind, pair in columns.items()},
        distance={kind: table.numbers[pair[1]] for kind, pair in columns.items()},
        labels=[LABELS.get(label, "") for label in table.labels],
    )


def resample(
    rows: Rows, *, submissions: int = SUBMISSIONS, teams: int = TEAMS, seed: int = 0
) -> Rows:
    """Draw rows with replacement, and change FD and distance by up to 2 %.

    Every team has at least one submission; the others follow a power law: some teams have hundreds.

    Args:
        rows: what to draw from.
        submissions: how many to draw.
        teams: how many teams they belong to.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(rows.ids), submissions)
    labels: list[str] = [str(rows.labels[place]) for place in picked.tolist()]
    weights = 1 / np.arange(1, teams + 1) ** 0.7
    owners = np.concatenate(
        [np.arange(teams), rng.choice(teams, submissions - teams, p=weights / weights.sum())]
    )

    def moved(values: Floats) -> Floats:
        return values[picked] * rng.uniform(0.98, 1.02, submissions)

    return Rows(
        ids=[f"drawn-{place:05d}" for place in range(submissions)],
        teams=rng.permutation(owners).tolist(),
        fd={kind: moved(values) for kind, values in rows.fd.items()},
        distance={kind: moved(values) for kind, values in rows.distance.items()},
        labels=labels,
    )


def add_submissions(
    rows: Rows, competition: Competition, splits: Sequence[Split]
) -> list[Submission]:
    """Add the rows to a competition as submissions by one author, scored on these splits."""
    from django.db import transaction

    from genmem.arena.accounts.models import User
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.submissions.models import Submission
    from genmem.arena.teams.models import Team

    slug = competition.slug
    with transaction.atomic():
        author = User.objects.create_user(f"author-{slug}@example.org", display_name="Author")
        teams = Team.objects.bulk_create(
            Team(competition=competition, name=f"Team {number + 1}")
            for number in range(max(rows.teams) + 1)
        )
        submissions = Submission.objects.bulk_create(
            [
                Submission(
                    id=uuid.uuid5(uuid.NAMESPACE_URL, f"{slug}/{name}"),
                    team=teams[team],
                    author=author,
                    kind="images",
                    received_at=START + timedelta(seconds=400 * place),
                    size=1,
                    sha256="0" * 64,
                    original_name=f"{name}.zip",
                    state="scored",
                    file=f"submissions/{name}.zip",
                )
                for place, (name, team) in enumerate(zip(rows.ids, rows.teams, strict=True))
            ],
            batch_size=1000,
        )
        for split in splits:
            kind, tau = split.kind, split.tau
            scores = penalized_score(fd=rows.fd[kind], distance=rows.distance[kind], tau=tau)
            ScoreVersion.objects.bulk_create(
                [
                    ScoreVersion(
                        submission=submission,
                        split=split,
                        fd=float(fd),
                        distance=float(distance),
                        score=float(score),
                        tau=tau,
                        epsilon=split.epsilon,
                        backbone="pixels",
                        made_at=submission.received_at + timedelta(minutes=10),
                    )
                    for submission, fd, distance, score in zip(
                        submissions, rows.fd[kind], rows.distance[kind], scores, strict=True
                    )
                ],
                batch_size=1000,
            )
    return submissions


def fill(rows: Rows, *, slug: str, labelled: bool = True) -> Competition:
    """Create a closed competition with these submissions, all scored.

    Args:
        rows: the submissions.
        slug: of the competition.
        labelled: whether two reviewers give the rows' labels.
    """
    from django.db import transaction

    from genmem.arena.accounts.models import User
    from genmem.arena.competitions.models import Competition, Split
    from genmem.arena.moderation.models import Label
    from genmem.arena.teams.models import Role

    with transaction.atomic():
        competition = Competition.objects.create(
            slug=slug,
            title=f"Replay {slug}",
            opens_at=START - timedelta(days=1),
            merge_until=START,
            closes_at=START + timedelta(days=60),
            image_formats=["png"],
        )
        splits = [
            Split.objects.create(
                competition=competition,
                kind=kind,
                version=1,
                backbone="pixels",
                train="/nowhere",
                tau=tau,
            )
            for kind, tau in TAUS.items()
        ]
        submissions = add_submissions(rows, competition, splits)
        reviewers = [
            User.objects.create_user(
                f"reviewer{n}-{slug}@example.org", display_name=f"Reviewer {n}"
            )
            for n in (1, 2)
        ]
        Role.objects.bulk_create(
            Role(competition=competition, user=reviewer, role="reviewer") for reviewer in reviewers
        )
        if labelled:
            Label.objects.bulk_create(
                [
                    Label(submission=submission, reviewer=reviewer, label=label, reason="replayed")
                    for submission, label in zip(submissions, rows.labels, strict=True)
                    for reviewer in reviewers
                    if label
                ],
                batch_size=1000,
            )
    return competition
