"""Memorization rejection: images too close to a training image do not train the generator.

    reject = MemorizationRejection(train, embedding="inception", tau=0.13)      # once
    fake = reject.sample(lambda n: generator(torch.randn(n, 128)), 64)          # a generator step
    loss = -discriminator(fake).mean()

"Reducing Training Sample Memorization in GANs by Training with Memorization Rejection" (arXiv
2210.12231): d(x) = min over training images x' of 1 − cos(f(x), f(x')); generated images with
d(x) ≤ τ are rejected in the generator's steps. The discriminator's steps take all of them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from genmem.arrays import check_choice
from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.training.rejection.embedding import embed, open_embedding, to_uint8, training_rows
from genmem.training.rejection.search import check_search, make_search
from genmem.training.rejection.statistics import (
    Gather,
    Judged,
    Statistics,
    Tally,
    first_of_each,
    nothing_passed,
)
from genmem.training.rejection.statistics import RejectsEverythingError as RejectsEverythingError
from genmem.training.rejection.threshold import (
    as_images,
    as_labels,
    as_unit_rows,
    at_least,
    threshold,
)


def whole_number(value: Any, least: int, name: str) -> int:
    """`value` as an int, once it is a whole number of at least `least`.

    Raises:
        UsageError: it is something else; the message names it.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < least:
        raise UsageError(f"{name}: expected a whole number of at least {least}, got {value!r}.")
    return int(value)


def check_tau(tau: Any) -> None:
    """Raise UsageError unless `tau` is "auto" or a distance in [0, 2]."""
    number = isinstance(tau, numbers.Real) and not isinstance(tau, bool)
    if tau != "auto" and not (number and 0 <= float(tau) <= 2):
        raise UsageError(f"tau: expected 'auto' or a distance in [0, 2], got {tau!r}.")


def check_range(value_range: Any) -> tuple[float, float]:
    """The lowest and the highest value of an image, once they are two rising numbers.

    Raises:
        UsageError: they are not.
    """
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise UsageError(
            f"value_range: expected the lowest and the highest value of generated images, as "
            f"(-1.0, 1.0), got {value_range!r}."
        )
    return low, high


def check_batch(images: Any) -> None:
    """Raise InputError unless `images` is a tensor [b, channels, H, W]."""
    if not isinstance(images, torch.Tensor) or images.ndim != 4:
        given = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise InputError(f"generated images: expected a tensor [b, 3, H, W], got {given}.")


Schedule = Callable[[int], float]
"""Generator steps since the warm-up → the factor of τ then."""


def ramp(steps: int) -> Schedule:
    """τ rises from 0 to its value over so many generator steps after the warm-up."""
    return lambda step: min(1.0, (step + 1) / max(1, steps))


class MemorizationRejection:
    """Rejects generated images within τ of a training image; call it, or let it `sample`.

    In a loop of your own over several processes, each judges its own images, and two things are
    yours to see to (`genmem.training.gan.trainer` does both). Processes keep different numbers of
    images, and the mean of their mean losses is not the mean over all: multiply each loss by
    kept · processes / (kept in all processes) before gradients are averaged. And where nothing
    passes in one process, catch its RejectsEverythingError there and take part in the step with a
    gradient of 0, or the others wait for it for ever.

    Attributes:
        tau: the threshold after warm-up and schedule.
        mode: "filter" or "resample".
        steps: generator steps so far; `sample` counts them, else call `step`.
        device: where embedding and training features are; they follow the images.
    """

    def __init__(
        self,
        train: Any,
        *,
        embedding: str | nn.Module = "efficientnet-lite0",
        tau: float | Literal["auto"] = "auto",
        mode: Literal["filter", "resample"] = "filter",
        max_tries: int = 20,
        smallest_draw: int = 16,
        warm_up: int = 0,
        schedule: Schedule | None = None,
        flips: bool = False,
        categories: Sequence[int] | None = None,
        search: str = "auto",
        half: bool = False,
        value_range: tuple[float, float] = (-1.0, 1.0),
        device: str | torch.device = "cpu",
        cache: str | Path | Literal["default"] | None = "default",
        progress: Progress | None = None,
    ) -> None:
        """Embed the training images and find τ.

        Args:
            train: uint8 images [n, 3, H, W] (tensor or array); or their features, float [n, d]
                (array, memory-mapped too, or tensor), made by the same embedding; or whatever
                `open_images` takes. One embedding judges both sides, so give images where you can.
            embedding: a backbone's name, `NAME@SIDE` for a smaller input (see `find_embedding`), or
                a module that takes uint8 RGB [b, 3, H, W] and gives features [b, d].
            tau: in the embedding's own scale (the paper's 0.13 is Inception's), 0 to reject
                nothing; "auto": the mean leave-one-out distance of the training rows, the paper's
                guideline.
            mode: "filter" (the released code): the step goes on with those accepted, and draws all
                anew only when none was. "resample" (Algorithm 1): each rejected image is drawn
                anew until it is accepted.
            max_tries: draws in one step, at most; see `sample`.
            smallest_draw: images asked for in one redraw of "resample", at least: batch
                normalisation does badly on a few. What is not needed is dropped.
            warm_up: generator steps in which nothing is rejected or even embedded.
            schedule: the factor of τ by steps since the warm-up; None is 1. See `ramp`.
            flips: store the features of flipped training images too, so that a flipped copy does
                not pass.
            categories: the training images' labels, integers [n]: images are then searched among
                the training images of their own label only, and a call needs their labels.
            search: "auto", "exact", "pruned" or "faiss"; see `make_search`.
            half: embed, and on a GPU search, in half precision.
            value_range: of generated images that are floats; uint8 is taken as it is.
            device: where to begin; it follows the images later.
            cache: where features of named embeddings are kept and shared between processes, by
                content; None: nowhere.
            progress: told while the training images are embedded.

        Raises:
            InputError: fewer than two training images, images of the wrong kind, labels of the
                wrong number.
            UsageError: a setting that is not possible.
            WeightsError: the embedding's weights are missing.
        """
        check_choice(mode, ("filter", "resample"), name="mode")
        self.mode = mode
        self.max_tries = whole_number(max_tries, 1, "max_tries")
        self.smallest_draw = whole_number(smallest_draw, 1, "smallest_draw")
        self.warm_up = whole_number(warm_up, 0, "warm_up")
        self.schedule = schedule
        self.value_range = check_range(value_range)
        check_tau(tau)
        check_search(search, by_class=categories is not None)
        self.device = torch.device(device)
        self.steps = 0
        self._half = half
        self._automatic = tau == "auto"
        self._tally = Tally()
        self._module, name = open_embedding(embedding)
        self._module.to(self.device)
        if isinstance(train, np.ndarray | torch.Tensor) and train.ndim == 2:
            if flips:
                raise UsageError(
                    "flips: flipped features cannot be made from features; give images, or "
                    "features of the flipped images as well."
                )
            rows = as_unit_rows(train)
            labels = as_labels(categories, len(rows), flips=False)
        else:
            images = as_images(train)
            labels = as_labels(categories, len(images), flips=flips)
            rows = training_rows(
                self._module,
                images,
                name=name,
                device=self.device,
                flips=flips,
                half=half,
                cache=cache,
                progress=progress,
            )
        tensor = torch.from_numpy(rows)
        at_least(len(rows), 2, "train: number of images", InputError)
        self.dimension = int(rows.shape[1])
        self.tau = threshold(tau, rows[: len(rows) // 2] if flips else rows, labels)
        self._per_class = labels is not None
        self._search = make_search(tensor, kind=search, labels=labels, half=half)
        self._search.to(self.device)

    @property
    def tau_now(self) -> float:
        """τ at this step, by warm-up and schedule; 0 rejects nothing."""
        since = self.steps - self.warm_up
        if since < 0:
            return 0.0
        return self.tau * (self.schedule(since) if self.schedule else 1.0)

    def to(self, device: str | torch.device) -> MemorizationRejection:
        """Move embedding and training features."""
        device = torch.device(device)
        if device != self.device:
            self.device = device
            self._module.to(device)
            self._search.to(device)
        return self

    def step(self) -> None:
        """One generator step is over: warm-up and schedule go on."""
        self.steps += 1

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint must keep."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a checkpoint."""
        self.steps = int(state["steps"])

    @torch.no_grad()
    def __call__(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> Judged:
        """Which of the generated images to keep. Nothing of it carries a gradient.

        Args:
            images: [b, 3, H, W], float in `value_range` or uint8, before any augmentation.
            labels: int64 [b], where rejection looks within classes.

        Raises:
            InputError: images of another shape, an embedding of other features, or labels that
                are not one an image, or of no training image.
        """
        check_batch(images)
        tau = self.tau_now
        if tau <= 0:
            keep = torch.ones(len(images), dtype=torch.bool, device=images.device)
            return Judged(keep, None, 0.0)
        self.to(images.device)
        rows = embed(self._module, to_uint8(images, self.value_range), half=self._half)
        if rows.shape[1] != self.dimension:
            raise InputError(
                f"embedding: expected {self.dimension} features like the training rows', got "
                f"{rows.shape[1]}; one embedding must make both."
            )
        labels = labels if self._per_class else None
        distances = self._search.distances(rows, within=tau, labels=labels)
        keep = ~(distances <= tau)
        self._tally.add(keep, distances)
        return Judged(keep, distances, tau)

    def sample(self, draw: Callable[[int], torch.Tensor], count: int) -> torch.Tensor:
        """One generator step's accepted images, with their gradients to the generator.

        Args:
            draw: so many → new images [n, 3, H, W].
            count: the batch size; at most `count` images for "filter", `count` for "resample",
                fewer where `max_tries` draws did not bring them all.

        Raises:
            InputError: `draw` gives another number of images than it was asked for.
            RejectsEverythingError: not one image passed in `max_tries` draws.
        """
        images, _ = self._collect(lambda asked: draw(len(asked)), count, None)
        return images

    def sample_labelled(
        self, draw: Callable[[torch.Tensor], torch.Tensor], labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`sample` for a conditional generator: labels → images; a redraw keeps its label.

        Returns:
            The accepted images and their labels.
        """
        images, places = self._collect(lambda asked: draw(labels[asked]), len(labels), labels)
        return images, labels[places.to(labels.device)]

    def pop_statistics(self, gather: Gather | None = None) -> Statistics:
        """What happened since this was last called.

        Args:
            gather: makes the statistics those of all processes, which must then all call this at
                the same step: a row float64 [1, k] on the CPU → the rows of all, [p, k]. None: of
                this process.
        """
        return self._tally.pop(tau=self.tau_now, gather=gather)

    def _collect(
        self,
        draw: Callable[[torch.Tensor], torch.Tensor],
        count: int,
        labels: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Accepted images and the places, of `count`, that they take, in order."""
        everything = torch.arange(count)
        missing, drawn = everything, 0
        parts: list[torch.Tensor] = []
        places: list[torch.Tensor] = []
        nearest_seen: list[torch.Tensor] = []
        for attempt in range(self.max_tries):
            self._tally.redraws += attempt > 0
            asked = missing
            if parts and len(asked) < min(self.smallest_draw, count):
                asked = missing[torch.arange(min(self.smallest_draw, count)) % len(missing)]
            images = draw(asked)
            if len(images) != len(asked):
                raise InputError(
                    f"draw: expected {len(asked)} images, as were asked for, got {len(images)}."
                )
            judged = self(images, None if labels is None else labels[asked])
            drawn += len(images)
            keep = judged.keep.cpu()
            if judged.distances is not None:
                nearest_seen.append(judged.distances.mean())
            if bool(keep.all()) and not parts:
                self.step()
                return images, everything.to(images.device)
            chosen = first_of_each(asked, keep)
            if len(chosen):
                parts.append(images[chosen.to(images.device)])
                places.append(asked[chosen])
                missing = everything[~torch.isin(everything, torch.cat(places))]
            if not len(missing) or (parts and self.mode == "filter"):
                break
        if not parts:
            where = f"tau = {self.tau_now:.4g}, step {self.steps:,}"
            raise nothing_passed(
                drawn, self.max_tries, nearest_seen, where=where, automatic=self._automatic
            )
        self.step()
        joined = torch.cat(places)
        order = joined.argsort().to(parts[0].device)
        return torch.cat(parts)[order], joined.to(order.device)[order]
