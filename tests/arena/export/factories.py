"""Exports and full competitions for tests; imported inside them, once Django is loaded."""

from __future__ import annotations

from datetime import datetime, timedelta

from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.export.jobs import STARTED, run_export
from genmem.arena.moderation.decisions import answer_rebuttal, decide, rebut
from genmem.arena.submissions.models import Submission

from ..factories import a_team, a_user, captain, scored
from ..moderation.factories import labelled
from ..ratings.factories import a_round, rate_all, with_images


def an_export(competition: Competition) -> str:
    """The token of a finished export, as started from the browser."""
    token = "A" * 22
    record(competition, actor=None, action=STARTED, subject=token, after={})
    run_export(competition, token, private=False, names=False)
    return token


def a_full_competition(competition: Competition) -> list[Submission]:
    """Six teams: three honest, three copying, one of them off the boards; ratings; a refused one.

    The last submission has no private score.
    """
    made = []
    for number, label in enumerate(("legitimate",) * 3 + ("MGAN", "AUG", "other")):
        honest = label == "legitimate"
        fd, distance = (60.0 + number, 0.4 + number / 100) if honest else (9.0 + number, 0.05)
        at = clock.now() + timedelta(seconds=number)
        made.append(a_scored(competition, fd=fd, distance=distance, received_at=at))
        labelled(made[-1], label, label)
    decision = decide(made[3], "disqualified", reason="Its noise is a code.", by=a_user("judge"))
    rebuttal = rebut(decision, text="It is not.", by=captain(made[3].team))
    answer_rebuttal(rebuttal, text="It is.", by=decision.by)
    labelled(made[0], "SUP")
    found = a_round([with_images(made[0]), with_images(made[1])], ratings_wanted=2)
    for _ in range(2):
        rate_all(found)
    scored(a_team(competition), 70.0, private=None)
    scored(a_team(competition), None, state="refused", message="a.png is broken")
    return made


def a_scored(
    competition: Competition, *, fd: float, distance: float, received_at: datetime
) -> Submission:
    """A submission scored by the house's own rule on both splits."""
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.scores import Scores, add_score

    team = a_team(competition, people=2)
    submission = scored(team, None, received_at=received_at)
    for kind in ("public", "private"):
        split = split_in_force(competition, kind)
        assert split is not None
        scores = Scores(
            fd=fd, distance=distance, score=fd / distance if distance < split.tau else fd
        )
        add_score(submission, split, scores, reason="first real one")
    return submission
