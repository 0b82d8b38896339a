"""What raters see: the open rounds, one page after another, and its images."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.ratings.models import Page, Rater, Round
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.ratings.round_images import sheet
from genmem.arena.ratings.rounds import RatingError, may_rate, rounds_for
from genmem.arena.ratings.session import join, next_page, plan_of, progress, take
from genmem.arena.teams.permissions import Viewer, get_viewer


@login_required
@require_safe
def rounds(request: HttpRequest, slug: str) -> HttpResponse:
    """The rounds that are open to me; all of them for an organiser."""
    viewer = get_viewer(request, slug)
    user = cast(User, viewer.user)
    raters = {
        one.round.pk: one
        for one in Rater.objects.filter(
            user=user, round__competition=viewer.competition
        ).select_related("round")
    }
    open_to_me = [
        (one, progress(raters[one.pk]) if one.pk in raters else None) for one in rounds_for(viewer)
    ]
    every = []
    if viewer.organiser:
        every = list(Round.objects.filter(competition=viewer.competition).order_by("-pk"))
    return render(
        request,
        "ratings/rounds.html",
        {"viewer": viewer, "open_to_me": open_to_me, "every": every},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rate(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The next page to rate; before the first, what is asked."""
    viewer = get_viewer(request, slug)
    found = get_object_or_404(Round, pk=pk, competition=viewer.competition)
    if not may_rate(viewer, found):
        raise PermissionDenied("This round is for the people its organiser named.")
    rater = Rater.objects.filter(round=found, user=viewer.user).first()
    if request.method == "POST":
        return _posted(request, viewer, found, rater)
    if rater is None:
        return render(
            request,
            "ratings/start.html",
            {"viewer": viewer, "round": found, "questions": QUESTIONS.values()},
        )
    return _page(request, viewer, found, rater)


@login_required
@require_safe
def images(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """The images of one page, for the rater it was drawn for."""
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
        sheet(page),
        content_type="image/png",
        headers={"Cache-Control": "private, max-age=3600", "Content-Encoding": "identity"},
    )


def _posted(
    request: HttpRequest, viewer: Viewer, found: Round, rater: Rater | None
) -> HttpResponse:
    user = cast(User, viewer.user)
    try:
        if rater is None:
            join(found, user, named="named" in request.POST)
        else:
            given = request.POST.get("value", "")
            take(
                rater, request.POST.get("page", ""), int(given) if given in "12345" and given else 0
            )
    except RatingError as error:
        messages.error(request, str(error))
    return redirect("rate", viewer.competition.slug, found.pk)


def _page(request: HttpRequest, viewer: Viewer, found: Round, rater: Rater) -> HttpResponse:
    page = next_page(rater)
    far = progress(rater)
    if page is None:
        return render(
            request, "ratings/done.html", {"viewer": viewer, "round": found, "progress": far}
        )
    places = plan_of(found, rater)
    return render(
        request,
        "ratings/rate.html",
        {
            "viewer": viewer,
            "round": found,
            "page": page,
            "count": len(page.images),
            "question": QUESTIONS[page.question],
            "progress": far,
            "number": far.done + 1,
            "first": all(one.question != page.question for one in places[: page.place]),
        },
    )
