"""Create and change competitions; each change goes to the audit log."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.forms.models import model_to_dict

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record, record_difference
from genmem.arena.competitions.forms import CompetitionForm, SplitForm
from genmem.arena.competitions.models import Competition, Split, split_in_force


def save_competition(form: CompetitionForm, *, actor: User | None) -> Competition:
    """Save a valid form: a new competition, or changes to an existing one."""
    with transaction.atomic():
        if form.instance.pk is None:
            competition = form.save()
            record(
                competition,
                actor=actor,
                action="create competition",
                subject=competition.slug,
                after=model_to_dict(competition),
            )
            return competition
        before = model_to_dict(Competition.objects.select_for_update().get(pk=form.instance.pk))
        competition = form.save()
        record_difference(
            competition,
            actor=actor,
            action="edit competition",
            subject=competition.slug,
            before=before,
            after=model_to_dict(competition),
        )
        return competition


def save_split(
    form: SplitForm, competition: Competition, kind: str, *, actor: User | None
) -> Split | None:
    """Add a version of a split from a valid form; None where nothing changed."""
    values: dict[str, Any] = {name: form.cleaned_data[name] for name in form.Meta.fields}
    with transaction.atomic():
        Competition.objects.select_for_update().get(pk=competition.pk)
        current = split_in_force(competition, kind)
        before = {name: getattr(current, name) for name in values} if current else None
        if before == values:
            return None
        split = Split.objects.create(
            competition=competition,
            kind=kind,
            version=current.version + 1 if current else 1,
            **values,
        )
        record(
            competition,
            actor=actor,
            action=f"set {kind} split",
            subject=f"version {split.version}",
            before=before,
            after=values,
        )
        return split


def set_private_leaderboard_open(
    competition: Competition, is_open: bool, *, actor: User | None
) -> None:
    """Show the private leaderboard to everybody, or hide it again."""
    with transaction.atomic():
        current = Competition.objects.select_for_update().get(pk=competition.pk)
        if current.private_open == is_open:
            return
        current.private_open = is_open
        current.save(update_fields=["private_open"])
        record(
            competition,
            actor=actor,
            action="open private board" if is_open else "hide private board",
            subject=competition.slug,
            before={"private_open": not is_open},
            after={"private_open": is_open},
        )
