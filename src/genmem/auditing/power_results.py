"""The power of an audit, frozen: what it would have flagged of planted copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genmem.formatting import count, percent, share
from genmem.results import Interval, Json, to_json

MOSTLY_MISSED = 0.5
"""A share of flagged copies under which a caveat names the kind."""


@dataclass(frozen=True, kw_only=True)
class DisguisePower:
    """What the audit flags of copies in one disguise.

    Attributes:
        kind: "crop", "text", …: two disguises, a light and a strong one, are of one kind.
        disguise: its name in `genmem.images.disguises.DISGUISES`.
        planted: copies of different training images that were tested.
        flagged: of these, those that would be flagged if `Power.copies` of the generated images
            were copies in this disguise.
        interval: of the share flagged, exact.
        at_most: upper 95 % bound of the share of the generated images that are copies in this
            disguise, if others of its kind or of other kinds are not looked at.
    """

    kind: str
    disguise: str
    planted: int
    flagged: int
    interval: Interval
    at_most: float

    @property
    def share(self) -> float:
        """The share flagged."""
        return self.flagged / self.planted

    def to_dict(self) -> dict[str, Json]:
        """The row as plain JSON."""
        return to_json(
            {
                "kind": self.kind,
                "disguise": self.disguise,
                "planted": self.planted,
                "flagged": self.flagged,
                "share": self.share,
                "interval": self.interval,
                "at_most": self.at_most,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Power:
    """What this audit would have flagged of disguised copies of its own training images.

    Attributes:
        disguises: a row per disguise, kinds together.
        copies: how many of the generated images are supposed to be copies in one disguise.
        images: generated images.
        level: the false-discovery rate at which images are flagged.
        interval: of the share of all planted copies that are flagged, exact.
        at_most: upper 95 % bound of the share of the generated images that are copies of these
            kinds, in equal parts; it holds also where nothing is flagged.
    """

    disguises: tuple[DisguisePower, ...]
    copies: int
    images: int
    level: float
    interval: Interval
    at_most: float

    @property
    def planted(self) -> int:
        """Planted copies in all disguises."""
        return sum(row.planted for row in self.disguises)

    @property
    def flagged(self) -> int:
        """Of these, those that would be flagged."""
        return sum(row.flagged for row in self.disguises)

    @property
    def share(self) -> float:
        """The share of all planted copies that would be flagged."""
        return self.flagged / self.planted

    @property
    def missed(self) -> tuple[DisguisePower, ...]:
        """The disguises in which fewer than half of the copies would be flagged."""
        return tuple(row for row in self.disguises if row.share < MOSTLY_MISSED)

    @property
    def sentence(self) -> str:
        """The bound, as a sentence."""
        return self.bound("in this table")

    def bound(self, kinds: str) -> str:
        """How many copies there can be, as a sentence.

        Args:
            kinds: where the kinds are named, such as "in this table".
        """
        return (
            f"At most {share(self.at_most)} of the generated images are copies of the kinds "
            f"{kinds}, in equal parts (95 %)."
        )

    @property
    def assumption(self) -> str:
        """How the shares were measured, as a sentence."""
        return (
            f"Planted: {count(self.planted, 'disguised copy', 'disguised copies')} of randomly "
            f"chosen training images, tested like the generated images; flagged where "
            f"{self.copies:,} of {self.images:,} generated images are copies in that disguise, at "
            f"a false-discovery rate of {percent(self.level)}."
        )

    def caveats(self) -> tuple[str, ...]:
        """A sentence on the kinds that would mostly be missed; empty without such."""
        if not self.missed:
            return ()
        return (
            "copies in these disguises would mostly have been missed, so flags do not tell their "
            f"number: {_names(self.missed)}.",
        )

    def to_dict(self) -> dict[str, Json]:
        """The power as plain JSON."""
        return to_json(
            {
                "copies": self.copies,
                "images": self.images,
                "level": self.level,
                "planted": self.planted,
                "flagged": self.flagged,
                "share": self.share,
                "interval": self.interval,
                "at_most": self.at_most,
                "sentence": self.sentence,
                "assumption": self.assumption,
                "disguises": self.disguises,
            }
        )


def _names(rows: Sequence[DisguisePower]) -> str:
    return ", ".join(f"{row.disguise} ({row.flagged} of {row.planted})" for row in rows)
