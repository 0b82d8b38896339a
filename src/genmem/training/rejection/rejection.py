"""Memorization rejection: images too close to a training image do not train the generator.

    reject = MemorizationRejection(train, backbone="inception", tau=0.13)      # once
    fake = reject.sample(lambda n: generator(torch.randn(n, 128)), 64)         # a generator step
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
from numpy.typing import NDArray
from torch import nn

from genmem.arrays import as_array, as_source
from genmem.errors import InputError, UsageError
from genmem.features.backbone import Backbone
from genmem.features.engines import torch_device
from genmem.images import Progress
from genmem.training.rejection.embedding import embed, open_backbone, to_uint8, training_features
from genmem.training.rejection.options import (
    Mode,
    SearchKind,
    check_mode,
    check_search,
    check_tau,
)
from genmem.training.rejection.search import build_search
from genmem.training.rejection.statistics import (
    Gather,
    RejectionResult,
    RunningStatistics,
    Statistics,
    first_accepted,
    rejects_everything_error,
)
from genmem.training.rejection.statistics import RejectsEverythingError as RejectsEverythingError
from genmem.training.rejection.threshold import (
    as_images,
    as_labels,
    as_unit_rows,
    check_at_least,
    resolve_tau,
)


def check_whole_number(value: Any, least: int, name: str) -> int:
    """Check that `value` is a whole number of at least `least`, and return it as an int.

    Raises:
        UsageError: it is not; the message names it.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < least:
        raise UsageError(f"{name}: expected a whole number of at least {least}, got {value!r}.")
    return int(value)


def check_range(value_range: Any) -> tuple[float, float]:
    """Check that `value_range` is two finite numbers, low < high, and return them.

    Raises:
        UsageError: it is not.
    """
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise UsageError(
            f"value_range: expected the lowest and the highest value of generated images, like "
            f"(-1.0, 1.0), got {value_range!r}."
        )
    return low, high


def check_batch(images: Any) -> None:
    """Raise InputError unless `images` is a tensor [b, channels, H, W] of finite values."""
    if not isinstance(images, torch.Tensor):
        kind = type(images).__name__
        raise InputError(f"generated images: expected a tensor [b, 3, H, W], got {kind}.")
    as_array(images, role="generated images")
    if images.ndim != 4 or not (images.dtype == torch.uint8 or images.dtype.is_floating_point):
        raise InputError(
            "generated images: expected a tensor [b, 3, H, W], floating point or uint8, got "
            f"{images.dtype} {list(images.shape)}."
        )
    if images.dtype != torch.uint8 and not bool(images.isfinite().all()):
        raise InputError(
            "generated images: some hold NaN or infinity; the training has diverged. Lower the "
            "learning rate, or check the generator's output."
        )


Schedule = Callable[[int], float]
"""Generator steps since the warm-up → the factor of τ then."""


def ramp(steps: int) -> Schedule:
    """τ rises from 0 to its value over so many generator steps after the warm-up."""
    return lambda step: min(1.0, (step + 1) / max(1, steps))


class MemorizationRejection:
    """Rejects generated images within τ of a training image; call it, or let it `sample`.

    With several processes each one judges its own images, and your training loop must do two things
    (`genmem.training.gan.trainer` does both). Processes accept different numbers of images, and the
    mean of their mean losses is not the mean over all: multiply each loss by
    accepted · processes / (accepted in all processes) before gradients are averaged. And where a
    process accepts nothing, catch its RejectsEverythingError and take part in the step with a
    gradient of 0, or the other processes wait for ever.

    Args:
        train: uint8 images [n, 3, H, W] (tensor or array); or their features, float [n, d]
            (array, memory-mapped too, or tensor) from the same backbone; or whatever
            `open_images` takes. One backbone must see both sides, so give images if you can.
        backbone: its name, `NAME@SIDE` for a smaller input (see `find_backbone`), or a
            module that takes uint8 RGB [b, 3, H, W] and returns features [b, d].
        tau: threshold in the scale of the backbone (the paper's 0.13 is Inception's), 0 to
            reject nothing; "auto": the mean leave-one-out distance of the training rows, as the
            paper suggests.
        mode: "filter" (the released code): the step continues with the accepted images, and
            draws all of them again only if there are none. "resample" (Algorithm 1): each
            rejected image is drawn again until it is accepted.
        max_tries: largest number of draws in one step; see `sample`.
        smallest_draw: smallest number of images in one redraw of "resample": batch
            normalization does badly on a few. Surplus images are dropped.
        warm_up: generator steps in which nothing is embedded or rejected.
        schedule: steps since the warm-up → factor of τ; None: always 1. See `ramp`.
        flips: store the features of mirrored training images too, to reject mirrored copies.
        categories: the training images' labels, integers [n]: generated images are then only
            compared with training images of their own label, and calls need their labels.
        search: "auto", "exact", "pruned" or "faiss"; see `build_search`.
        half: compute features, and on a GPU distances, in half precision.
        value_range: of generated images that are floats; uint8 images are used as they are.
        device: initial device; later it follows the images.
        cache: folder where features of named backbones are kept by content and shared between
            processes; None: nowhere.
        progress: called while the training images are embedded.

    Attributes:
        steps: generator steps so far; `sample` counts them, else call `step`.
        dimension: of the features.

    Raises:
        InputError: fewer than two training images, images of the wrong kind, labels of the
            wrong number.
        UsageError: an argument out of range, or arguments that do not go together.
        WeightsError: the backbone's weights are missing.
    """

    def __init__(
        self,
        train: Any,
        *,
        backbone: str | Path | Backbone | nn.Module = "efficientnet-lite0",
        tau: float | Literal["auto"] = "auto",
        mode: Mode = "filter",
        max_tries: int = 20,
        smallest_draw: int = 16,
        warm_up: int = 0,
        schedule: Schedule | None = None,
        flips: bool = False,
        categories: Sequence[int] | None = None,
        search: SearchKind = "auto",
        half: bool = False,
        value_range: tuple[float, float] = (-1.0, 1.0),
        device: str | torch.device = "cpu",
        cache: str | Path | Literal["default"] | None = "default",
        progress: Progress | None = None,
    ) -> None:
        """Embed the training images and find τ; see the class for the arguments."""
        check_mode(mode)
        self.mode = mode
        self.max_tries = check_whole_number(max_tries, 1, "max_tries")
        self.smallest_draw = check_whole_number(smallest_draw, 1, "smallest_draw")
        self.warm_up = check_whole_number(warm_up, 0, "warm_up")
        self.schedule = schedule
        self.value_range = check_range(value_range)
        check_tau(tau)
        check_search(search, by_class=categories is not None)
        self.device = torch_device(device)
        self.steps = 0
        self._half = half
        self._automatic = tau == "auto"
        self._statistics = RunningStatistics()
        self._module, name = open_backbone(backbone)
        self._module.to(self.device)
        rows, labels = self._train_rows(train, categories, name, flips, cache, progress)
        tensor = torch.from_numpy(rows)
        check_at_least(len(rows), 2, "train: number of images", InputError)
        self.dimension = int(rows.shape[1])
        self.tau = resolve_tau(tau, rows[: len(rows) // 2] if flips else rows, labels)
        self._per_class = labels is not None
        self._search = build_search(tensor, kind=search, labels=labels, half=half)
        self._search.to(self.device)

    def _train_rows(
        self,
        train: Any,
        categories: Sequence[int] | None,
        name: str | None,
        flips: bool,
        cache: str | Path | Literal["default"] | None,
        progress: Progress | None,
    ) -> tuple[NDArray[np.float32], torch.Tensor | None]:
        """Unit rows [n, d] of training images or their features, and their labels int64 [n]."""
        train = as_source(train, role="train")
        if isinstance(train, np.ndarray | torch.Tensor) and train.ndim == 2:
            if flips:
                raise UsageError(
                    "flips: features of mirrored images cannot be computed from features. Give "
                    "images, or add the features of the mirrored images."
                )
            rows = as_unit_rows(train)
            return rows, as_labels(categories, len(rows), flips=False)
        images = as_images(train)
        labels = as_labels(categories, len(images), flips=flips)
        rows = training_features(
            self._module,
            images,
            name=name,
            device=self.device,
            flips=flips,
            half=self._half,
            cache=cache,
            progress=progress,
        )
        return rows, labels

    @property
    def tau_now(self) -> float:
        """τ at this step, by warm-up and schedule; 0 rejects nothing."""
        since = self.steps - self.warm_up
        if since < 0:
            return 0.0
        return self.tau * (self.schedule(since) if self.schedule else 1.0)

    def to(self, device: str | torch.device) -> MemorizationRejection:
        """Move backbone and training features."""
        device = torch_device(device)
        if device != self.device:
            self.device = device
            self._module.to(device)
            self._search.to(device)
        return self

    def step(self) -> None:
        """Count a generator step, for warm-up and schedule."""
        self.steps += 1

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint must hold."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume from a checkpoint."""
        self.steps = int(state["steps"])

    @torch.no_grad()
    def __call__(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> RejectionResult:
        """Decide which generated images to keep. The result carries no gradient.

        Args:
            images: [b, 3, H, W], float in `value_range` or uint8, before any augmentation.
            labels: int64 [b], for rejection within classes.

        Raises:
            InputError: images of another shape, features of another dimension, not one label per
                image, or a label that no training image has.
        """
        check_batch(images)
        tau = self.tau_now
        if tau <= 0:
            keep = torch.ones(len(images), dtype=torch.bool, device=images.device)
            return RejectionResult(keep, None, 0.0)
        self.to(images.device)
        rows = embed(self._module, to_uint8(images, self.value_range), half=self._half)
        if rows.shape[1] != self.dimension:
            raise InputError(
                f"backbone: expected {self.dimension} features like the training rows', got "
                f"{rows.shape[1]}; one backbone must compute both."
            )
        labels = labels if self._per_class else None
        distances = self._search.distances(rows, within=tau, labels=labels)
        keep = ~(distances <= tau)
        self._statistics.add(keep, distances)
        return RejectionResult(keep, distances, tau)

    def sample(self, draw: Callable[[int], torch.Tensor], count: int) -> torch.Tensor:
        """The accepted images of one generator step, with their gradients to the generator.

        Args:
            draw: number n → new images [n, 3, H, W].
            count: the batch size: at most `count` images are returned for "filter", `count` for
                "resample", fewer if `max_tries` draws do not bring them all.

        Raises:
            InputError: `draw` returns another number of images than it was asked for.
            RejectsEverythingError: no image was accepted in `max_tries` draws.
        """
        images, _ = self._collect(lambda places: draw(len(places)), count, None)
        return images

    def sample_labelled(
        self, draw: Callable[[torch.Tensor], torch.Tensor], labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`sample` for a conditional generator: labels → images; a redraw keeps its label.

        Returns:
            The accepted images and their labels.
        """
        images, places = self._collect(lambda places: draw(labels[places]), len(labels), labels)
        return images, labels[places.to(labels.device)]

    def pop_statistics(self, gather: Gather | None = None) -> Statistics:
        """Statistics since the last call.

        Args:
            gather: a row float64 [1, k] on the CPU → the rows of all processes, [p, k]; the
                statistics are then of all of them, and all must call this at the same step.
                None: of this process.
        """
        return self._statistics.pop(tau=self.tau_now, gather=gather)

    def _collect(
        self,
        draw: Callable[[torch.Tensor], torch.Tensor],
        count: int,
        labels: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Accepted images and the places, of `count`, that they take, in order.

        Args:
            draw: places int64 [n] → new images [n, 3, H, W].
            count: the batch size.
            labels: int64 [count], the label of each place.
        """
        all_places = torch.arange(count)
        missing, drawn = all_places, 0
        parts: list[torch.Tensor] = []
        taken: list[torch.Tensor] = []
        mean_distances: list[torch.Tensor] = []
        for attempt in range(self.max_tries):
            self._statistics.redraws += attempt > 0
            places = missing
            if parts and len(places) < min(self.smallest_draw, count):
                places = missing[torch.arange(min(self.smallest_draw, count)) % len(missing)]
            images = draw(places)
            if len(images) != len(places):
                raise InputError(
                    f"draw: expected {len(places)} images, as asked for, got {len(images)}."
                )
            result = self(images, None if labels is None else labels[places])
            drawn += len(images)
            keep = result.keep.cpu()
            if result.distances is not None:
                mean_distances.append(result.distances.mean())
            if bool(keep.all()) and not parts:
                self.step()
                return images, all_places.to(images.device)
            chosen = first_accepted(places, keep)
            if len(chosen):
                parts.append(images[chosen.to(images.device)])
                taken.append(places[chosen])
                missing = all_places[~torch.isin(all_places, torch.cat(taken))]
            if not len(missing) or (parts and self.mode == "filter"):
                break
        if not parts:
            where = f"tau = {self.tau_now:.4g}, step {self.steps:,}"
            raise rejects_everything_error(
                drawn, self.max_tries, mean_distances, where=where, automatic=self._automatic
            )
        self.step()
        joined = torch.cat(taken)
        order = joined.argsort().to(parts[0].device)
        return torch.cat(parts)[order], joined.to(order.device)[order]
