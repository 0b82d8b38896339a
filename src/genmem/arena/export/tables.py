"""Which tables a release has: submissions, scores, teams, boards and how they went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.db.models import Count, Exists, OuterRef

from genmem.arena.export.judgement_tables import DECISIONS, LABELS, RATINGS
from genmem.arena.export.schema import COUNT, NUMBER, TEXT, TIME, YES_NO, Field, Scope, Table, pa
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.history import best_changes
from genmem.arena.leaderboards.leaderboard import leaderboard_rows, score_events
from genmem.arena.leaderboards.models import Final, ScoreVersion
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership, Team

Row = dict[str, Any]
_CHUNK = 2000


def kinds(scope: Scope) -> tuple[str, ...]:
    """The splits that are in it."""
    return ("public", "private") if scope.private else ("public",)


def _submissions(scope: Scope) -> Iterator[Row]:
    disqualified = disqualified_ids(scope.competition)
    rows = (
        Submission.objects.filter(team__competition=scope.competition)
        .select_related("team", "author")
        .annotate(chosen=Exists(Final.objects.filter(submission=OuterRef("pk"))))
        .order_by("received_at", "pk")
    )
    for one in rows.iterator(chunk_size=_CHUNK):
        yield {
            "submission_id": str(one.pk),
            "team": scope.pseudonyms.team(one.team),
            "author": scope.pseudonyms.person(one.author),
            "kind": one.kind,
            "received_at": one.received_at,
            "size": one.size,
            "sha256": one.sha256,
            "state": one.state,
            "counts_against_limit": one.counts_against_limit,
            "chosen_final": one.chosen,  # type: ignore[attr-defined]
            "disqualified": one.pk in disqualified,
            "original_name": one.original_name,
            "message": one.message,
        }


def _scores(scope: Scope) -> Iterator[Row]:
    rows = (
        ScoreVersion.objects.filter(
            submission__team__competition=scope.competition, split__kind__in=kinds(scope)
        )
        .select_related("split")
        .annotate(replaced=Exists(ScoreVersion.objects.filter(supersedes=OuterRef("pk"))))
        .order_by("pk")
    )
    for one in rows.iterator(chunk_size=_CHUNK):
        yield {
            "score_id": one.pk,
            "submission_id": str(one.submission_id),  # pyright: ignore[reportAttributeAccessIssue]
            "split": one.split.kind,
            "split_version": one.split.version,
            "fd": one.fd,
            "distance": one.distance,
            "tau": one.tau,
            "epsilon": one.epsilon,
            "score": one.score,
            "in_force": not one.replaced,  # type: ignore[attr-defined]
            "supersedes": one.supersedes_id,  # pyright: ignore[reportAttributeAccessIssue]
            "backbone": one.backbone,
            "weights_sha256": one.weights_sha256,
            "made_at": one.made_at,
            "reason": one.reason,
        }


def _teams(scope: Scope) -> Iterator[Row]:
    members: dict[int, list[str]] = {}
    joined = Membership.objects.filter(competition=scope.competition).select_related("user", "team")
    for of in joined.order_by("pk").iterator(chunk_size=_CHUNK):
        members.setdefault(of.team.pk, []).append(scope.pseudonyms.person(of.user))
    rows = (
        Team.objects.filter(competition=scope.competition)
        .annotate(sent=Count("submissions", distinct=True))
        .order_by("pk")
    )
    for one in rows.iterator(chunk_size=_CHUNK):
        yield {
            "team": scope.pseudonyms.team(one),
            "created_at": one.created_at,
            "members": members.get(one.pk, []),
            "submissions": one.sent,  # type: ignore[attr-defined]
            "name": one.name,
        }


def _boards(scope: Scope) -> Iterator[Row]:
    teams = _team_names(scope)
    for kind in kinds(scope):
        for row in leaderboard_rows(scope.competition, kind):
            yield {
                "split": kind,
                "rank": row.rank,
                "team": teams[row.team_id],
                "score": row.score,
                "received_at": row.received_at,
                "submissions": row.submissions,
            }


def _history(scope: Scope) -> Iterator[Row]:
    teams = _team_names(scope)
    for kind in kinds(scope):
        for change in best_changes(score_events(scope.competition, kind, with_decisions=False)):
            yield {
                "split": kind,
                "at": change.at,
                "team": teams[cast(int, change.best.team)],
                "submission_id": change.best.id,
                "score": change.best.score,
                "rank": change.rank,
                "ranked_teams": change.teams,
            }


def _team_names(scope: Scope) -> dict[int, str]:
    teams = Team.objects.filter(competition=scope.competition)
    return {one.pk: scope.pseudonyms.team(one) for one in teams}


_SUBMISSION = Field("submission_id", TEXT, "number of the submission")
_TEAM = Field("team", TEXT, "pseudonym of the team")

TABLES = (
    Table(
        name="submissions",
        about="Everything that was sent in, in order of receipt; refused and failed ones too.",
        rows=_submissions,
        fields=(
            _SUBMISSION,
            _TEAM,
            Field("author", TEXT, "who sent it"),
            Field("kind", TEXT, "images, or code that makes them"),
            Field("received_at", TIME, "when its last byte was there, by the server's clock"),
            Field("size", COUNT, "of the file, in bytes"),
            Field("sha256", TEXT, "of the file"),
            Field("state", TEXT, "received, scoring, scored, refused (its files broke the rules) "
                  "or failed (nobody's fault but the server's)"),
            Field("counts_against_limit", YES_NO, "whether it counted against the daily limit"),
            Field("chosen_final", YES_NO, "whether its team chose it for the private board; teams "
                  "that chose none are ranked by their best by public score"),
            Field("disqualified", YES_NO, "whether it is off the boards"),
            Field("original_name", TEXT, "the file's name, as its author called it", True),
            Field("message", TEXT, "what its team was told", True),
        ),
    ),
    Table(
        name="scores",
        about="Every score ever given, one row a version; a version is never changed.",
        rows=_scores,
        fields=(
            Field("score_id", COUNT, "number of the version"),
            _SUBMISSION,
            Field("split", TEXT, "public or private"),
            Field("split_version", COUNT, "version of the split, see competition.json"),
            Field("fd", NUMBER, "Fréchet distance to the reference set; lower is better"),
            Field("distance", NUMBER, "memorization distance: mean over the submitted images of "
                  "the smallest cosine distance to a training image; near 0 is copied"),
            Field("tau", NUMBER, "the threshold: distances below it are penalised"),
            Field("epsilon", NUMBER, "keeps the penalty finite"),
            Field("score", NUMBER, "MiFID: fd where distance >= tau, else fd times the penalty "
                  "1 / (distance + epsilon); empty is N/A"),
            Field("in_force", YES_NO, "whether no later version replaces it"),
            Field("supersedes", COUNT, "the version it replaced; empty for the first"),
            Field("backbone", TEXT, "the network whose features were compared"),
            Field("weights_sha256", TEXT, "of its weights"),
            Field("made_at", TIME, "when it was computed"),
            Field("reason", TEXT, "why there is a new version"),
        ),
    ),
    Table(
        name="teams",
        about="Who competed.",
        rows=_teams,
        fields=(
            _TEAM,
            Field("created_at", TIME, "when it was made"),
            Field("members", pa.list_(TEXT), "its people"),
            Field("submissions", COUNT, "how many it sent in"),
            Field("name", TEXT, "as shown on the boards", True),
        ),
    ),
    Table(
        name="boards",
        about="The boards as they are: best public score of each team, and best private score of "
        "its final selections.",
        rows=_boards,
        fields=(
            Field("split", TEXT, "public or private"),
            Field("rank", COUNT, "from 1; empty is N/A"),
            _TEAM,
            Field("score", NUMBER, "lower is better"),
            Field("received_at", TIME, "when the submission was received; of equal scores the "
                  "earlier ranks higher"),
            Field("submissions", COUNT, "scored ones of the team"),
        ),
    ),
    Table(
        name="board_history",
        about="How the boards went, one row per change of a team's best score. The board at a "
        "moment is the newest row of each team up to it. On both splits it is the best of all "
        "scores, not of the finals; later disqualifications are not in it.",
        rows=_history,
        fields=(
            Field("split", TEXT, "public or private"),
            Field("at", TIME, "when the score was made"),
            _TEAM,
            Field("submission_id", TEXT, "the team's best submission from then on"),
            Field("score", NUMBER, "its score"),
            Field("rank", COUNT, "the team's rank at that moment; empty is N/A"),
            Field("ranked_teams", COUNT, "how many teams had a rank"),
        ),
    ),
    LABELS,
    DECISIONS,
    RATINGS,
)  # fmt: skip
