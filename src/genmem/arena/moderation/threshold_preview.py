"""The leaderboard at another τ, computed from arrays of all scores in force on one split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arena.competitions.models import Competition, Split, split_in_force
from genmem.arena.leaderboards.cache import (
    cached,
    current_scores,
    leaderboard_state,
    score_state,
)
from genmem.arena.leaderboards.leaderboard import ranked_submissions
from genmem.arena.leaderboards.ranking import best_rows
from genmem.arena.teams.models import Team
from genmem.metrics.mifid import Standing, check_tau, penalty, ranking, standing


@dataclass(frozen=True, kw_only=True)
class SplitScores:
    """All scored submissions of one split, in order of receipt.

    Attributes:
        ids: of the submissions, n of them.
        team: id of each one's team, int64 [n].
        fd: Fréchet distances, float64 [n]; NaN where there is none.
        distance: memorization distances, float64 [n]; NaN where there is none.
        fd_floor: FD up to which it is 0 but for rounding, float64 [n]; NaN where it is not known.
        competes: which are on the leaderboard, bool [n]: on the private one, only finals.
        names: of the teams, by id.
        version: of the split in force.
        tau, epsilon: of the split in force.
        outdated: how many were scored under an earlier version of the split.
    """

    ids: list[str]
    team: NDArray[np.int64]
    fd: NDArray[np.float64]
    distance: NDArray[np.float64]
    fd_floor: NDArray[np.float64]
    competes: NDArray[np.bool_]
    names: dict[int, str]
    version: int
    tau: float
    epsilon: float
    outdated: int


@dataclass(frozen=True, kw_only=True)
class PreviewRow:
    """A team on the leaderboard at another τ.

    Attributes:
        row: of its best submission at that τ, in `SplitScores`.
        name: of the team.
        submission: id of its best submission at that τ.
        rank, score: at that τ.
        current_rank, current_score: at the τ in force; None where the team has no score.
        standing: at that τ.
    """

    row: int
    name: str
    submission: str
    rank: int
    score: float
    current_rank: int | None
    current_score: float | None
    standing: Standing

    @property
    def up(self) -> int:
        """By how many places the team rises; negative when it falls."""
        return 0 if self.current_rank is None else self.current_rank - self.rank

    @property
    def down(self) -> int:
        """By how many places the team falls."""
        return -self.up


def split_scores(competition: Competition, kind: str) -> SplitScores | None:
    """The scores in force on a split; None where the split is not set up."""

    def compute() -> SplitScores | None:
        split = split_in_force(competition, kind)
        return None if split is None else _split_scores(competition, split)

    return cached(("split scores", competition.pk, kind), leaderboard_state(), compute)


def mifid_at(scores: SplitScores, tau: float) -> NDArray[np.float64]:
    """MiFID of every submission at τ, float64 [n]; NaN where there is no score.

    Raises:
        UsageError: τ is not in (0, 1].
    """
    check_tau(tau, scores.epsilon)
    return scores.fd * penalty(scores.distance, tau, scores.epsilon)


def rank_at(scores: SplitScores, tau: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The leaderboard at τ.

    Returns:
        The row of each ranked team's best submission, best first, and its MiFID.
    """
    mifid = mifid_at(scores, tau)
    places = ranking(score=mifid, distance=scores.distance, standing=standings_at(scores, tau))
    rows = np.flatnonzero(scores.competes & ~np.isnan(mifid))
    rows = rows[best_rows(scores.team[rows], places[rows])]
    return rows, mifid[rows]


def standings_at(scores: SplitScores, tau: float) -> NDArray[np.int8]:
    """`Standing` of every submission at τ, int8 [n]."""
    return standing(fd=scores.fd, distance=scores.distance, tau=tau, floor=scores.fd_floor)


def preview(scores: SplitScores, tau: float) -> list[PreviewRow]:
    """The leaderboard at τ, with each team's rank at the τ in force."""
    rows, mifid = rank_at(scores, scores.tau)
    current: dict[int, tuple[int | None, float | None]] = {
        team: (rank, score)
        for rank, (team, score) in enumerate(
            zip(scores.team[rows].tolist(), mifid.tolist(), strict=True), 1
        )
    }
    rows, mifid = rank_at(scores, tau)
    standings = standings_at(scores, tau)
    preview_rows = []
    for rank, (row, score) in enumerate(zip(rows.tolist(), mifid.tolist(), strict=True), 1):
        team = int(scores.team[row])
        current_rank, current_score = current.get(team, (None, None))
        preview_rows.append(
            PreviewRow(
                row=row,
                name=scores.names[team],
                submission=scores.ids[row],
                rank=rank,
                score=score,
                current_rank=current_rank,
                current_score=current_score,
                standing=Standing(int(standings[row])),
            )
        )
    return preview_rows


def _split_scores(competition: Competition, split: Split) -> SplitScores:
    arrays = cached(  # these stay as long as the scores do; decisions change `competes` only
        ("score arrays", competition.pk, split.kind),
        score_state(),
        lambda: _arrays(competition, split.kind),
    )
    competing = {row.id for row in ranked_submissions(competition, split.kind)}
    versions = arrays["version"]
    return SplitScores(
        **{name: values for name, values in arrays.items() if name != "version"},
        competes=np.array([pk in competing for pk in arrays["ids"]], dtype=bool),
        names=dict(Team.objects.filter(competition=competition).values_list("pk", "name")),
        version=split.version,
        tau=split.tau,
        epsilon=split.epsilon,
        outdated=int((versions != split.pk).sum()),
    )


def _arrays(competition: Competition, kind: str) -> dict[str, Any]:
    rows = sorted(current_scores(competition, kind), key=lambda row: (row.received_at, row.id))
    return {
        "ids": [row.id for row in rows],
        "team": np.array([row.team for row in rows], dtype=np.int64),
        "fd": np.array([row.fd for row in rows], dtype=np.float64),
        "distance": np.array([row.distance for row in rows], dtype=np.float64),
        "fd_floor": np.array([row.fd_floor for row in rows], dtype=np.float64),
        "version": np.array([row.split for row in rows], dtype=np.int64),
    }
