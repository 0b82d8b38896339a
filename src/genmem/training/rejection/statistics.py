"""What memorization rejection did: verdicts on batches, running counts, and a τ that ends a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from genmem.errors import UsageError

Gather = Callable[[torch.Tensor], torch.Tensor]
"""A row float64 [1, k] of this process → those of all processes, [p, k]."""


class RejectsEverythingError(UsageError):
    """τ lets nothing pass.

    Attributes:
        acceptance: the share accepted in the last tries: 0.
        what: what happened, without advice.
    """

    acceptance = 0.0

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what} {advice}".strip())
        self.what = what


def nothing_passed(
    drawn: int, tries: int, distances: Sequence[torch.Tensor], *, where: str, automatic: bool
) -> RejectsEverythingError:
    """The error of a step in which no image passed.

    Args:
        drawn: images in all tries.
        tries: draws.
        distances: the mean nearest distance of each draw.
        where: the threshold and the step, in words.
        automatic: τ was "auto".
    """
    hint = (
        "Give tau as a lower number than 'auto' took"
        if automatic
        else "Lower tau (tau='auto' takes the mean leave-one-out distance of the training images)"
    )
    return RejectsEverythingError(
        f"memorization rejection: none of {drawn:,} generated images in {tries} draws lay farther "
        f"than tau from the training images ({where}, acceptance 0 %, mean nearest distance "
        f"{float(torch.stack(list(distances)).mean()):.4g}).",
        f"{hint}, give it a warm-up, or stop here: the generator gives nothing but near copies.",
    )


def first_of_each(asked: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Positions of the first accepted image for each place that was asked for."""
    taken: set[int] = set()
    chosen = []
    for position, (place, kept) in enumerate(zip(asked.tolist(), keep.tolist(), strict=True)):
        if kept and place not in taken:
            taken.add(place)
            chosen.append(position)
    return torch.tensor(chosen, dtype=torch.int64)


@dataclass(frozen=True)
class Judged:
    """What rejection says of a batch.

    Attributes:
        keep: bool [b]: farther than τ from every training image.
        distances: float32 [b], to the nearest training image; above τ only a bound where the search
            is "pruned". None while nothing was looked for (in the warm-up, or at τ = 0).
        tau: the threshold used.
    """

    keep: torch.Tensor
    distances: torch.Tensor | None
    tau: float


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What happened since the statistics were last taken; for a training log.

    Attributes:
        images: generated images judged.
        acceptance: the share of them that was kept; None where none was judged.
        distance_mean, distance_lowest: of their distances; None where none was looked for.
        redraws: draws beyond the first of a step.
        tau: the threshold now.
    """

    images: int
    acceptance: float | None
    distance_mean: float | None
    distance_lowest: float | None
    redraws: int
    tau: float

    def to_dict(self) -> dict[str, Any]:
        """The statistics as plain JSON."""
        return asdict(self)


class Tally:
    """Running counts of a few numbers, whether or not anybody ever asks for them.

    Attributes:
        redraws: draws beyond the first of a step.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.redraws = 0
        self._images = 0
        # On the images' device: nothing waits for them before they are asked for.
        self._sums = torch.zeros(2, dtype=torch.float64)  # images kept, distances
        self._lowest = torch.tensor(float("inf"))

    def add(self, keep: torch.Tensor, distances: torch.Tensor) -> None:
        """Count in a batch: bool [b] and float32 [b], on one device."""
        self._images += len(keep)
        if distances.device.type == "mps":  # which has no float64
            keep, distances = keep.cpu(), distances.cpu()
        self._sums = self._sums.to(distances.device)
        self._lowest = self._lowest.to(distances.device)
        self._sums += torch.stack([keep.sum().double(), distances.double().sum()])
        self._lowest = torch.minimum(self._lowest, distances.min())

    def pop(self, *, tau: float, gather: Gather | None = None) -> Statistics:
        """What was counted since the last time, by all processes where they are gathered."""
        row = [float(self._images), float(self.redraws), *self._sums.tolist(), float(self._lowest)]
        self._clear()
        rows = torch.tensor([row], dtype=torch.float64)
        if gather is not None:
            rows = gather(rows).cpu()
        images, redraws, kept, distances = rows[:, :4].sum(dim=0).tolist()
        return Statistics(
            images=int(images),
            acceptance=kept / images if images else None,
            distance_mean=distances / images if images else None,
            distance_lowest=float(rows[:, 4].min()) if images else None,
            redraws=int(redraws),
            tau=tau,
        )
