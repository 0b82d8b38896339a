"""Put another τ in force: a new version of a split, under which every submission is rescored."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition, Split, split_in_force
from genmem.arena.core.errors import RuleError
from genmem.arena.moderation.decisions import require_text
from genmem.arena.scoring.rescore import rescore


def change_threshold(
    competition: Competition,
    kind: str,
    tau: float,
    *,
    reason: str,
    actor: User | None,
    version: int | None = None,
) -> tuple[Split, int]:
    """Put another τ in force.

    Args:
        competition: which.
        kind: "public" or "private".
        tau: the new threshold, in (0, 1].
        reason: written into the audit log and into every new score.
        actor: the organizer; None on the server's command line.
        version: the split's version that `actor` saw; another one in force is an error. None: not
            checked.

    Returns:
        The new version of the split, and the number of submissions that are rescored.

    Raises:
        RuleError: τ is out of range or in force already, there is no reason, or the split is
            missing or has changed.
    """
    if not 0 < tau <= 1:
        raise RuleError(f"τ: expected a distance above 0 and at most 1, got {tau:g}.")
    reason = require_text(reason, "a reason; it is kept with the change")
    with transaction.atomic():
        Competition.objects.select_for_update().get(pk=competition.pk)
        current = split_in_force(competition, kind)
        if current is None:
            raise RuleError(f"The {kind} split is not set up yet.")
        if version is not None and version != current.version:
            raise RuleError(
                f"Version {current.version} of the {kind} split came into force meanwhile, with "
                f"τ = {current.tau:g}. Check the leaderboard again."
            )
        if tau == current.tau:
            raise RuleError(f"τ is {tau:g} already.")
        split = _new_version(current, tau)
        record(
            competition,
            actor=actor,
            action=f"set {kind} split",
            subject=f"version {split.version}",
            before={"tau": current.tau},
            after={"tau": tau, "reason": reason},
        )
        count = rescore(split, reason, actor)
    return split, count


def _new_version(current: Split, tau: float) -> Split:
    """Add a version of a split that differs in τ only."""
    return Split.objects.create(
        competition=current.competition,
        kind=current.kind,
        backbone=current.backbone,
        weights=current.weights,
        train=current.train,
        reference=current.reference,
        tau=tau,
        epsilon=current.epsilon,
        version=current.version + 1,
    )
