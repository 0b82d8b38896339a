"""The tables of an export: submissions, scores, teams, leaderboards, labels, decisions, ratings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.db.models import Count, Exists, OuterRef, Prefetch

from genmem.arena.export.schema import (
    CHUNK,
    COUNT,
    NUMBER,
    TEXT,
    TIME,
    YES_NO,
    Column,
    Scope,
    Table,
    pa,
)
from genmem.arena.leaderboards.history import best_changes
from genmem.arena.leaderboards.leaderboard import leaderboard_rows, score_events
from genmem.arena.leaderboards.models import Decision, Final, ScoreVersion
from genmem.arena.moderation.models import Label
from genmem.arena.ratings.models import Round
from genmem.arena.ratings.results import ratings_of
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership, Team


def _submissions(scope: Scope) -> Iterable[Submission]:
    return (
        Submission.objects.filter(team__competition=scope.competition)
        .select_related("team", "author")
        .annotate(chosen_final=Exists(Final.objects.filter(submission=OuterRef("pk"))))
        .order_by("received_at", "pk")
        .iterator(chunk_size=CHUNK)
    )


def _scores(scope: Scope) -> Iterable[ScoreVersion]:
    return (
        ScoreVersion.objects.filter(
            submission__team__competition=scope.competition, split__kind__in=scope.kinds
        )
        .select_related("split")
        .annotate(replaced=Exists(ScoreVersion.objects.filter(supersedes=OuterRef("pk"))))
        .order_by("pk")
        .iterator(chunk_size=CHUNK)
    )


def _teams(scope: Scope) -> Iterable[Team]:
    members = Membership.objects.select_related("user").order_by("pk")
    return (
        Team.objects.filter(competition=scope.competition)
        .annotate(submission_count=Count("submissions", distinct=True))
        .prefetch_related(Prefetch("memberships", members))
        .order_by("pk")
        .iterator(chunk_size=CHUNK)
    )


def _leaderboards(scope: Scope) -> Iterator[dict[str, Any]]:
    teams = _team_pseudonyms(scope)
    for kind in scope.kinds:
        for row in leaderboard_rows(scope.competition, kind):
            yield {
                "split": kind,
                "rank": row.rank,
                "team": teams[row.team_id],
                "score": row.score,
                "standing": row.standing.label,
                "received_at": row.received_at,
                "submissions": row.submissions,
            }


def _leaderboard_history(scope: Scope) -> Iterator[dict[str, Any]]:
    teams = _team_pseudonyms(scope)
    for kind in scope.kinds:
        events = score_events(scope.competition, kind, with_decisions=False)
        for change in best_changes(events):
            yield {
                "split": kind,
                "at": change.at,
                "team": teams[cast(int, change.best.team)],
                "submission_id": change.best.id,
                "score": change.best.score,
                "standing": change.best.standing.label,
                "rank": change.rank,
                "ranked_teams": change.teams,
            }


def _labels(scope: Scope) -> Iterable[Label]:
    newer = Label.objects.filter(
        submission=OuterRef("submission"), reviewer=OuterRef("reviewer"), pk__gt=OuterRef("pk")
    )
    return (
        Label.objects.filter(submission__team__competition=scope.competition)
        .select_related("reviewer")
        .annotate(replaced=Exists(newer))
        .order_by("pk")
        .iterator(chunk_size=CHUNK)
    )


def _decisions(scope: Scope) -> Iterable[Decision]:
    return (
        Decision.objects.filter(submission__team__competition=scope.competition)
        .select_related("by", "rebuttal__answer")
        .order_by("pk")
        .iterator(chunk_size=CHUNK)
    )


def _ratings(scope: Scope) -> Iterable[Any]:
    rounds = list(Round.objects.filter(competition=scope.competition))
    return ratings_of(rounds).iterator(chunk_size=CHUNK)


def _team_pseudonyms(scope: Scope) -> dict[int, str]:
    teams = Team.objects.filter(competition=scope.competition)
    return {team.pk: scope.pseudonyms.team(team) for team in teams}


def _statement(decision: Decision, name: str, *, answer: bool = False) -> Any:
    """A field of the decision's rebuttal, or of the answer to it; None where there is none."""
    statement = getattr(decision, "rebuttal", None)
    if answer:
        statement = getattr(statement, "answer", None)
    return getattr(statement, name, None)


_SUBMISSION_ID = Column("submission_id", TEXT, "id of the submission")
_STANDING = Column(
    "standing", TEXT,
    "empty, penalized or replay of the training set: these rank after all others, the nearest to "
    "the training set last",
)  # fmt: skip
_SPLIT = Column("split", TEXT, "public or private", "split.kind")
_TEAM = Column(
    "team", TEXT, "pseudonym of the team", lambda row, scope: scope.pseudonyms.team(row.team)
)

SUBMISSIONS = Table(
    name="submissions",
    description="All submissions in order of receipt, refused and failed ones included.",
    rows=_submissions,
    columns=(
        Column("submission_id", TEXT, "id of the submission", "pk"),
        _TEAM,
        Column("author", TEXT, "who uploaded it",
               lambda row, scope: scope.pseudonyms.person(row.author)),
        Column("kind", TEXT, "images, or code that generates them"),
        Column("received_at", TIME, "when the upload was complete, by the server's clock"),
        Column("size", COUNT, "size of the file, in bytes"),
        Column("sha256", TEXT, "SHA-256 of the file"),
        Column("state", TEXT,
               "received, scoring, scored, refused (the files break the rules) or failed (an error "
               "of the server)"),
        Column("counts_against_limit", YES_NO, "whether it counts towards the daily limit"),
        Column("chosen_final", YES_NO,
               "whether its team chose it as final; for teams that chose none, the best by public "
               "score are final"),
        Column("disqualified", YES_NO, "whether it is disqualified",
               lambda row, scope: row.pk in scope.disqualified),
        Column("original_name", TEXT, "name of the uploaded file", personal=True),
        Column("message", TEXT, "message to its team", personal=True),
    ),
)  # fmt: skip
SCORES = Table(
    name="scores",
    description="All scores ever computed, one row per version; a version never changes.",
    rows=_scores,
    columns=(
        Column("score_id", COUNT, "id of the version", "pk"),
        _SUBMISSION_ID,
        _SPLIT,
        Column("split_version", COUNT, "version of the split, see competition.json",
               "split.version"),
        Column("fd", NUMBER, "Fréchet distance to the reference set; lower is better"),
        Column("distance", NUMBER,
               "memorization distance: mean over the submitted images of the smallest cosine "
               "distance to a training image; near 0 for copies"),
        Column("fd_floor", NUMBER,
               "fd up to this is 0 but for rounding; with a penalty, a replay of the training set"),
        Column("tau", NUMBER, "the threshold: smaller distances are penalized"),
        Column("epsilon", NUMBER, "keeps the penalty finite"),
        Column("score", NUMBER,
               "MiFID: fd where distance >= tau, else fd times the penalty "
               "1 / (distance + epsilon); empty is N/A"),
        Column("in_force", YES_NO, "whether no later version supersedes it",
               lambda row, scope: not row.replaced),
        Column("supersedes", COUNT, "the version it superseded; empty for the first",
               "supersedes_id"),
        Column("backbone", TEXT, "the network whose features are compared"),
        Column("weights_sha256", TEXT, "SHA-256 of its weights"),
        Column("made_at", TIME, "when it was computed"),
        Column("reason", TEXT, "why there is a new version"),
    ),
)  # fmt: skip
TEAMS = Table(
    name="teams",
    description="All teams.",
    rows=_teams,
    columns=(
        Column("team", TEXT, "pseudonym of the team",
               lambda row, scope: scope.pseudonyms.team(row)),
        Column("created_at", TIME, "when it was created"),
        Column("members", pa.list_(TEXT), "its members",
               lambda row, scope: [scope.pseudonyms.person(m.user) for m in row.memberships.all()]),
        Column("submissions", COUNT, "number of its submissions", "submission_count"),
        Column("name", TEXT, "as shown on the leaderboards", personal=True),
    ),
)  # fmt: skip
LEADERBOARDS = Table(
    name="leaderboards",
    description="The present leaderboards: each team's best public score, and its best private "
    "score among its final submissions.",
    rows=_leaderboards,
    columns=(
        _SPLIT,
        Column("rank", COUNT, "from 1; empty is N/A"),
        _TEAM,
        Column("score", NUMBER, "lower is better"),
        _STANDING,
        Column("received_at", TIME,
               "when the submission was received; of equal scores the earlier one ranks higher"),
        Column("submissions", COUNT, "number of the team's scored submissions"),
    ),
)  # fmt: skip
LEADERBOARD_HISTORY = Table(
    name="leaderboard_history",
    description="The leaderboards over time, one row per change of a team's best score. The "
    "leaderboard at a moment is the newest row of each team up to it. On both splits it is the "
    "best of all scores, not of the finals; later disqualifications are not applied.",
    rows=_leaderboard_history,
    columns=(
        _SPLIT,
        Column("at", TIME, "when the score was computed"),
        _TEAM,
        Column("submission_id", TEXT, "the team's best submission from then on"),
        Column("score", NUMBER, "its score"),
        _STANDING,
        Column("rank", COUNT, "the team's rank at that moment; empty is N/A"),
        Column("ranked_teams", COUNT, "number of teams with a rank"),
    ),
)  # fmt: skip
LABELS = Table(
    name="labels",
    description="All labels by reviewers, superseded ones included.",
    rows=_labels,
    private=True,
    columns=(
        _SUBMISSION_ID,
        Column("reviewer", TEXT, "who gave the label",
               lambda row, scope: scope.pseudonyms.person(row.reviewer)),
        Column("label", TEXT,
               "legitimate, MGAN (memorization GAN), SUP (supervised mapping to training images), "
               "AE (autoencoder), AUG (altered training images), or other"),
        Column("at", TIME, "when"),
        Column("in_force", YES_NO, "whether it is the reviewer's newest label of this submission",
               lambda row, scope: not row.replaced),
        Column("reason", TEXT, "the reviewer's reason", personal=True),
    ),
)  # fmt: skip
DECISIONS = Table(
    name="decisions",
    description="Disqualifications and reinstatements, with the teams' rebuttals.",
    rows=_decisions,
    private=True,
    columns=(
        Column("decision_id", COUNT, "id of the decision", "pk"),
        _SUBMISSION_ID,
        Column("kind", TEXT, "disqualified or reinstated"),
        Column("label", TEXT, "what the submission was found to be"),
        Column("by", TEXT, "who decided; empty: the server's command line",
               lambda row, scope: scope.pseudonyms.person(row.by) if row.by else None),
        Column("at", TIME, "when"),
        Column("disqualified_now", YES_NO, "whether the submission is disqualified now",
               lambda row, scope: row.submission_id in scope.disqualified),
        Column("rebutted_at", TIME, "when the team rebutted it; empty: it did not",
               lambda row, scope: _statement(row, "at")),
        Column("answered_at", TIME, "when the organizers answered the rebuttal",
               lambda row, scope: _statement(row, "at", answer=True)),
        Column("reason", TEXT, "the reason given to the team", personal=True),
        Column("rebuttal", TEXT, "the team's rebuttal", lambda row, scope: _statement(row, "text"),
               personal=True),
        Column("answer", TEXT, "the organizers' answer",
               lambda row, scope: _statement(row, "text", answer=True), personal=True),
    ),
)  # fmt: skip
RATINGS = Table(
    name="ratings",
    description="Ratings of quality and diversity by people who saw images without their source; "
    "controls and repeated pages included.",
    rows=_ratings,
    private=True,
    columns=(
        Column("round", COUNT, "id of the rating round, see competition.json",
               "page.rater.round_id"),
        Column("rater", TEXT, "who rated", lambda row, scope: scope.pseudonyms.person(
               row.page.rater.user, agreed=row.page.rater.named )),
        Column("rater_reliable", YES_NO, "whether the rater passed the checks",
               lambda row, scope: not row.page.rater.unreliable),
        Column("question", TEXT, "quality or diversity", "page.question"),
        Column("shown", TEXT,
               "entry (a submission), real (training images) or spoiled (real images with shuffled "
               "pixels, or one of them repeated)", "page.item.kind"),
        Column("submission_id", TEXT, "id of the submission; empty for controls",
               "page.item.submission_id"),
        Column("value", COUNT, "1 (worst) to 5 (best)"),
        Column("rated_at", TIME, "when", "at"),
        Column("seconds", NUMBER, "time from drawing the page to the rating, in seconds"),
        Column("page", COUNT, "position of the page in the rater's session", "page.number"),
        Column("repeats_page", COUNT, "position of the page it repeats; empty: none",
               lambda row, scope: row.page.repeats.number if row.page.repeats else None),
        Column("images", pa.list_(COUNT), "which of the images drawn for the round were shown",
               "page.images"),
    ),
)  # fmt: skip
TABLES = (
    SUBMISSIONS,
    SCORES,
    TEAMS,
    LEADERBOARDS,
    LEADERBOARD_HISTORY,
    LABELS,
    DECISIONS,
    RATINGS,
)
