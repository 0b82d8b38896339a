"""The organiser's pages about ratings: opening a round, its results, closing it."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.ratings.forms import RoundForm
from genmem.arena.ratings.models import Round
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.ratings.results import findings, rating_rows
from genmem.arena.ratings.rounds import RatingError, close_round, open_round, top_submissions
from genmem.arena.teams.permissions import require_organiser
from genmem.arena.teams.pseudonyms import Pseudonyms

COLUMNS = (
    "round", "rater", "rater_reliable", "question", "shown", "submission_id", "value", "rated_at",
    "seconds", "page", "repeats_page", "images",
)  # fmt: skip


@login_required
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Open a round."""
    viewer = require_organiser(request, slug)
    form = RoundForm(request.POST or None, initial={"title": "Quality and diversity"})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        chosen = given["listed"] or top_submissions(viewer.competition, given["top"])
        try:
            made = open_round(viewer.competition, chosen, form.terms(), by=viewer.user)
        except RatingError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The round is open. Raters find it under Ratings.")
            return redirect("rating results", slug, made.pk)
    return render(request, "ratings/new.html", {"viewer": viewer, "form": form})


@login_required
@require_safe
def results(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What a round has come to."""
    viewer = require_organiser(request, slug)
    found = get_object_or_404(Round, pk=pk, competition=viewer.competition)
    return render(
        request,
        "ratings/results.html",
        {
            "viewer": viewer,
            "round": found,
            "findings": findings(found),
            "questions": QUESTIONS.values(),
        },
    )


@login_required
@require_POST
def close(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take no more ratings."""
    viewer = require_organiser(request, slug)
    close_round(get_object_or_404(Round, pk=pk, competition=viewer.competition), by=viewer.user)
    messages.success(request, "The round is closed.")
    return redirect("rating results", slug, pk)


@login_required
@require_safe
def export(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Every rating of a round as CSV, its raters under pseudonyms."""
    viewer = require_organiser(request, slug)
    found = get_object_or_404(Round, pk=pk, competition=viewer.competition)
    return StreamingHttpResponse(
        _lines(found, Pseudonyms(viewer.competition)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="ratings-{slug}-{pk}.csv"'},
    )


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _lines(found: Round, pseudonyms: Pseudonyms) -> Iterator[str]:
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for row in rating_rows([found]):
        yield writer.writerow(
            (
                row.round_id,
                pseudonyms.person(row.rater, agreed=row.named),
                "yes" if row.rater_reliable else "no",
                row.question,
                row.shown,
                row.submission or "",
                row.value,
                row.at.isoformat(),
                round(row.seconds, 3),
                row.place,
                row.repeats_place or "",
                " ".join(map(str, row.images)),
            )
        )
