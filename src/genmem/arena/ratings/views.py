"""Pages for raters (open rounds, pages to rate) and for organizers (new round, results)."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.core.errors import RuleError
from genmem.arena.ratings.forms import RoundForm
from genmem.arena.ratings.models import Page, Rater, Round
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.ratings.results import round_results
from genmem.arena.ratings.round_images import page_picture
from genmem.arena.ratings.rounds import (
    close_round,
    may_rate,
    open_round,
    rounds_for,
    top_submissions,
)
from genmem.arena.ratings.session import join, next_page, progress, session_plan, submit_rating
from genmem.arena.teams.permissions import Viewer, get_viewer, require_organizer


@login_required
@require_safe
def rounds(request: HttpRequest, slug: str) -> HttpResponse:
    """The rounds open to the viewer; for organizers, all rounds."""
    viewer = get_viewer(request, slug)
    mine = Rater.objects.filter(user=viewer.user, round__competition=viewer.competition)
    raters = {rater.round.pk: rater for rater in mine.select_related("round")}
    open_rounds = [
        (rating_round, progress(raters[rating_round.pk]) if rating_round.pk in raters else None)
        for rating_round in rounds_for(viewer)
    ]
    all_rounds = Round.objects.filter(competition=viewer.competition).order_by("-pk")
    context = {
        "viewer": viewer,
        "open_rounds": open_rounds,
        "all_rounds": all_rounds if viewer.organizer else [],
    }
    return render(request, "ratings/rounds.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rate(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The next page to rate; before the first one, the instructions."""
    viewer = get_viewer(request, slug)
    rating_round = _round(viewer, pk)
    if not may_rate(viewer, rating_round):
        raise PermissionDenied("This round is for raters chosen by the organizer.")
    rater = Rater.objects.filter(round=rating_round, user=viewer.user).first()
    if request.method == "POST":
        return _rate_or_join(request, viewer, rating_round, rater)
    context = {"viewer": viewer, "round": rating_round, "questions": QUESTIONS.values()}
    if rater is None:
        return render(request, "ratings/start.html", context)
    return _page(request, viewer, rating_round, rater)


@login_required
@require_safe
def images(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """The images of one page, for its rater."""
    viewer = get_viewer(request, slug)
    page = (
        Page.objects.filter(
            token=token, rater__user=viewer.user, rater__round__competition=viewer.competition
        )
        .select_related("rater__round__competition", "item__round__competition")
        .select_related("item__submission")
        .first()
    )
    if page is None:
        raise Http404
    return HttpResponse(
        page_picture(page),
        content_type="image/png",
        headers={"Cache-Control": "private, max-age=3600", "Content-Encoding": "identity"},
    )


@login_required
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Open a round."""
    viewer = require_organizer(request, slug)
    rating_round = Round(competition=viewer.competition, title="Quality and diversity")
    form = RoundForm(request.POST or None, instance=rating_round)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        submissions = data["listed"] or top_submissions(viewer.competition, data["top"])
        try:
            open_round(form.instance, submissions, invited=data["people"], by=viewer.user)
        except RuleError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The round is open. Raters find it under Ratings.")
            return redirect("rating results", slug, form.instance.pk)
    return render(request, "ratings/new.html", {"viewer": viewer, "form": form})


@login_required
@require_safe
def results(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The results of a round."""
    viewer = require_organizer(request, slug)
    rating_round = _round(viewer, pk)
    context = {
        "viewer": viewer,
        "round": rating_round,
        "results": round_results(rating_round),
        "questions": QUESTIONS.values(),
    }
    return render(request, "ratings/results.html", context)


@login_required
@require_POST
def close(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Close a round."""
    viewer = require_organizer(request, slug)
    close_round(_round(viewer, pk), by=viewer.user)
    messages.success(request, "The round is closed.")
    return redirect("rating results", slug, pk)


def _round(viewer: Viewer, pk: int) -> Round:
    """A round of the competition, or 404."""
    return get_object_or_404(Round, pk=pk, competition=viewer.competition)


def _rate_or_join(
    request: HttpRequest, viewer: Viewer, rating_round: Round, rater: Rater | None
) -> HttpResponse:
    value = request.POST.get("value", "")
    try:
        if rater is None:
            join(rating_round, cast(User, viewer.user), named="named" in request.POST)
        else:
            token = request.POST.get("page", "")
            submit_rating(rater, token, int(value) if value in tuple("12345") else 0)
    except RuleError as error:
        messages.error(request, str(error))
    return redirect("rate", viewer.competition.slug, rating_round.pk)


def _page(request: HttpRequest, viewer: Viewer, rating_round: Round, rater: Rater) -> HttpResponse:
    page, done = next_page(rater), progress(rater)
    context = {"viewer": viewer, "round": rating_round, "progress": done, "page": page}
    if page is None:
        return render(request, "ratings/done.html", context)
    plan = session_plan(rating_round, rater)
    context |= {
        "count": len(page.images),
        "question": QUESTIONS[page.question],
        "number": done.done + 1,
        "first": all(planned.question != page.question for planned in plan[: page.position]),
    }
    return render(request, "ratings/rate.html", context)
