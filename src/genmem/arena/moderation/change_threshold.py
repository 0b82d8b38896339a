"""Change τ of one split: a new version of the split, and all scores computed again."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition, Split, split_in_force
from genmem.arena.moderation.decisions import DeskError, checked


def apply_tau(
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
        competition: of which.
        kind: "public" or "private".
        tau: in (0, 1].
        reason: goes into the log and into every new score.
        actor: who does it; None on the server's command line.
        version: the version of the split that `actor` looked at; another one in force is refused.

    Returns:
        The new version of the split, and how many submissions were scored anew.
    """
    from genmem.arena.scoring.rescore import rescore

    if not 0 < tau <= 1:
        raise DeskError(f"τ: expected a distance above 0, at most 1, not {tau:g}.")
    reason = checked(reason, "a reason, which stays with the change")
    with transaction.atomic():
        Competition.objects.select_for_update().get(pk=competition.pk)
        current = split_in_force(competition, kind)
        if current is None:
            raise DeskError(f"The {kind} split is not set up yet.")
        if version is not None and version != current.version:
            raise DeskError(
                f"Version {current.version} of the {kind} split came into force meanwhile, with "
                f"τ = {current.tau:g}. Look at the board again."
            )
        if tau == current.tau:
            raise DeskError(f"τ is {tau:g} already.")
        split = Split.objects.create(
            competition=competition,
            kind=kind,
            backbone=current.backbone,
            weights=current.weights,
            train=current.train,
            reference=current.reference,
            tau=tau,
            epsilon=current.epsilon,
            version=current.version + 1,
        )
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
