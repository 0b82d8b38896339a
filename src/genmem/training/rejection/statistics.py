"""Results of memorization rejection: of a batch, running statistics, and the error of a τ that
rejects everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from genmem.errors import UsageError

Gather = Callable[[torch.Tensor], torch.Tensor]
"""A row float64 [1, k] of this process → those of all processes, [p, k]."""


class RejectsEverythingError(UsageError):
    """τ rejects every image.

    Attributes:
        acceptance: the share accepted in the last tries: 0.
        event: what happened, without advice.
    """

    acceptance = 0.0

    def __init__(self, event: str, advice: str = "") -> None:
        super().__init__(f"{event} {advice}".strip())
        self.event = event


def rejects_everything_error(
    drawn: int, tries: int, distances: Sequence[torch.Tensor], *, where: str, automatic: bool
) -> RejectsEverythingError:
    """The error of a step in which no image was accepted.

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
        f"{hint}, give it a warm-up, or stop here: the generator makes nothing but near copies.",
    )


def first_accepted(places: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Positions of the first accepted image of each place."""
    taken: set[int] = set()
    chosen = []
    for position, (place, accepted) in enumerate(zip(places.tolist(), keep.tolist(), strict=True)):
        if accepted and place not in taken:
            taken.add(place)
            chosen.append(position)
    return torch.tensor(chosen, dtype=torch.int64)


@dataclass(frozen=True)
class RejectionResult:
    """Which images of a batch are accepted.

    Attributes:
        keep: bool [b]: farther than τ from every training image.
        distances: float32 [b], to the nearest training image; above τ only a bound if the search is
            "pruned". None where nothing was searched (in the warm-up, or at τ = 0).
        tau: the threshold used.
    """

    keep: torch.Tensor
    distances: torch.Tensor | None
    tau: float


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of a number of steps, for a training log.

    Attributes:
        images: generated images compared with the training images.
        acceptance: share of them that was accepted; None if there were none.
        distance_mean, distance_lowest: of their distances; None if there were none.
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


class RunningStatistics:
    """Running sums for `Statistics`.

    Attributes:
        redraws: draws beyond the first of a step.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.redraws = 0
        self._images = 0
        # On the images' device, so that the device is not synchronized before `pop`.
        self._sums = torch.zeros(2, dtype=torch.float64)  # images accepted, distances
        self._lowest = torch.tensor(float("inf"))

    def add(self, keep: torch.Tensor, distances: torch.Tensor) -> None:
        """Add a batch: bool [b] and float32 [b], on one device."""
        self._images += len(keep)
        if distances.device.type == "mps":  # which has no float64
            keep, distances = keep.cpu(), distances.cpu()
        self._sums = self._sums.to(distances.device)
        self._lowest = self._lowest.to(distances.device)
        self._sums += torch.stack([keep.sum().double(), distances.double().sum()])
        self._lowest = torch.minimum(self._lowest, distances.min())

    def pop(self, *, tau: float, gather: Gather | None = None) -> Statistics:
        """Statistics since the last call, of all processes if `gather` is given."""
        row = [float(self._images), float(self.redraws), *self._sums.tolist(), float(self._lowest)]
        self._clear()
        rows = torch.tensor([row], dtype=torch.float64)
        if gather is not None:
            rows = gather(rows).cpu()
        images, redraws, accepted, distances = rows[:, :4].sum(dim=0).tolist()
        return Statistics(
            images=int(images),
            acceptance=accepted / images if images else None,
            distance_mean=distances / images if images else None,
            distance_lowest=float(rows[:, 4].min()) if images else None,
            redraws=int(redraws),
            tau=tau,
        )
