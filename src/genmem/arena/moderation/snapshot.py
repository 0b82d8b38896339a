"""All scores in force on one split as arrays, so that another τ ranks them anew at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genmem.arena.competitions.models import Competition, Split, split_in_force
from genmem.arena.leaderboards.cache import in_force, kept, score_stamp, stamp
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.leaderboard import standing
from genmem.arena.teams.models import Team
from genmem.metrics.mifid import check_tau, penalty


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The scored submissions of one split, by time of receipt: of equal scores, the first is first.

    Attributes:
        ids: the submissions' numbers.
        team: the number of each one's team.
        fd, distance: NaN where there is none.
        ranked: which stand on the board: not disqualified, and on the private board a final.
        names: of the teams.
        split: version of the split in force.
        tau, epsilon: of the split in force.
        behind: how many were scored by an earlier version of the split.
    """

    ids: list[str]
    team: NDArray[np.int64]
    fd: NDArray[np.float64]
    distance: NDArray[np.float64]
    ranked: NDArray[np.bool_]
    names: dict[int, str]
    split: int
    tau: float
    epsilon: float
    behind: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A board at one τ: each team's best entry, best first.

    Attributes:
        rows: their places in the snapshot, int64 [t].
        scores: MiFID, float64 [t].
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A team's place at another τ and at the one in force; None: it has no score.

    Attributes:
        row: of its best submission at that τ, in the snapshot.
    """

    row: int
    name: str
    submission: str
    rank: int
    before: int | None
    score: float
    score_before: float | None
    penalised: bool

    @property
    def up(self) -> int:
        """By how many places it rises; negative when it falls."""
        return 0 if self.before is None else self.before - self.rank

    @property
    def down(self) -> int:
        """By how many places it falls."""
        return -self.up


def snapshot(competition: Competition, kind: str) -> Snapshot | None:
    """What stands now; None where the split is not set up."""

    def take() -> Snapshot | None:
        split = split_in_force(competition, kind)
        return None if split is None else _take(competition, split)

    return kept(("snapshot", competition.pk, kind), stamp(), take)


def scores_at(found: Snapshot, tau: float) -> NDArray[np.float64]:
    """MiFID of every submission at τ, float64 [n]; NaN where there is no score.

    Raises:
        UsageError: τ is not in (0, 1].
    """
    check_tau(tau, found.epsilon)
    return found.fd * penalty(found.distance, tau, found.epsilon)


def ranking_at(found: Snapshot, tau: float) -> Ranking:
    """The board at τ by the written rule (`boards.ranking.rank` is the same, one by one)."""
    scores = scores_at(found, tau)
    rows = np.flatnonzero(found.ranked & ~np.isnan(scores))
    rows = rows[np.argsort(scores[rows], kind="stable")]
    _, first = np.unique(found.team[rows], return_index=True)
    rows = rows[np.sort(first)]
    return Ranking(rows=rows, scores=scores[rows])


def moves(found: Snapshot, tau: float) -> list[Moved]:
    """The board at τ, each team with its place at the τ in force."""
    old, new = ranking_at(found, found.tau), ranking_at(found, tau)
    before = {
        int(team): (place, float(score))
        for place, (team, score) in enumerate(zip(found.team[old.rows], old.scores, strict=True), 1)
    }
    return [
        Moved(
            row=row,
            name=found.names[team],
            submission=found.ids[row],
            rank=place,
            before=before.get(team, (None, None))[0],
            score=score,
            score_before=before.get(team, (None, None))[1],
            penalised=bool(found.distance[row] < tau),
        )
        for place, (row, team, score) in enumerate(
            zip(new.rows.tolist(), found.team[new.rows].tolist(), new.scores.tolist(), strict=True),
            1,
        )
    ]


class _Arrays(NamedTuple):
    ids: list[str]
    team: NDArray[np.int64]
    fd: NDArray[np.float64]
    distance: NDArray[np.float64]
    split: NDArray[np.int64]


def _take(competition: Competition, split: Split) -> Snapshot:
    """The arrays stay as long as the scores do; a decision or selection changes `ranked` only."""
    found = kept(
        ("arrays", competition.pk, split.kind), score_stamp(), lambda: _arrays(competition, split)
    )
    gone = {str(one) for one in disqualified_ids(competition)}
    stands = standing(competition) if split.kind == "private" else set(found.ids)
    stands = stands - gone
    return Snapshot(
        ids=found.ids,
        team=found.team,
        fd=found.fd,
        distance=found.distance,
        ranked=np.array([one in stands for one in found.ids], dtype=bool),
        names=dict(Team.objects.filter(competition=competition).values_list("pk", "name")),
        split=split.version,
        tau=split.tau,
        epsilon=split.epsilon,
        behind=int((found.split != split.pk).sum()),
    )


def _arrays(competition: Competition, split: Split) -> _Arrays:
    rows = sorted(
        in_force(competition, split.kind), key=lambda row: (row.received_at, row.submission)
    )
    return _Arrays(
        ids=[row.submission for row in rows],
        team=np.array([row.team for row in rows], dtype=np.int64),
        fd=np.array([row.fd for row in rows], dtype=np.float64),
        distance=np.array([row.distance for row in rows], dtype=np.float64),
        split=np.array([row.split for row in rows], dtype=np.int64),
    )
