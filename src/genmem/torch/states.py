"""The base of the metrics: images to features, kept as rows or as moments, joined over ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from genmem.arrays import as_features, check_same_dimension
from genmem.errors import InputError, UsageError
from genmem.features import BackboneLike, Device, extract, load_backbone
from genmem.images import ArraySource
from genmem.metrics.moments import Moments

try:
    from torchmetrics import Metric
    from torchmetrics.utilities.distributed import gather_all_tensors
except ImportError as error:
    raise UsageError(
        "genmem.torch needs torchmetrics. Install it: pip install 'genmem[torchmetrics]'."
    ) from error


class SetsMetric(Metric):
    """Compares generated with real (training) images that come in batches.

    Args:
        backbone: the feature space, as for `genmem.score`.
        reset_real_features: `reset` forgets the real images, too. False keeps them, so that they
            need to be given once only.
        normalize: images are floats in [0, 1]; False: uint8.
        weights: weights file of the backbone; None to look for it.
        device: where the backbone runs.

    Raises:
        UsageError: a backbone or device that does not exist.
        WeightsError: the backbone's weights are missing and cannot be obtained.
    """

    is_differentiable = False
    full_state_update = False
    real: list[torch.Tensor]
    generated: list[torch.Tensor]

    def __init__(
        self,
        backbone: BackboneLike = "inception",
        *,
        reset_real_features: bool = True,
        normalize: bool = False,
        weights: str | Path | None = None,
        device: Device = "auto",
    ) -> None:
        super().__init__(dist_sync_fn=gather_rows)
        if isinstance(backbone, int):
            raise UsageError(
                f"backbone: expected a name, file, module or callable, got {backbone}. "
                'torchmetrics\' feature=2048 is "inception", the default; its smaller layers are '
                "not offered, since a distance in them is no FID."
            )
        self.reset_real_features = reset_real_features
        self.normalize = normalize
        self._extractor = load_backbone(backbone, weights=weights, device=device)
        # Rows [b, d], or one row of moments; so ranks are joined by concatenation.
        self.add_state("real", default=[], dist_reduce_fx="cat")
        self.add_state("generated", default=[], dist_reduce_fx="cat")

    def update(self, images: torch.Tensor, real: bool) -> None:
        """Add a batch.

        Args:
            images: [b, 3, H, W] or [b, 1, H, W], uint8, or floats in [0, 1] with `normalize`; or
                features, float [b, d], of the same backbone.
            real: whether these are training images.

        Raises:
            InputError: the batch is none of these, or of another dimension than those before.
        """
        rows = self._features(images)
        state = self.real if real else self.generated
        for seen in (self.real, self.generated):
            if seen and self._dimension(seen[0]) != rows.shape[1]:
                raise InputError(
                    f"images: expected features of dimension {self._dimension(seen[0])} like "
                    f"those before, got {rows.shape[1]}."
                )
        self._add(state, rows)

    def forward(self, images: torch.Tensor, real: bool) -> None:
        """Refuse: a batch is a part of one of the two sets, and has no value of its own.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{type(self).__name__}: a batch alone has no value. Call update(images, real=…) for "
            "each batch, and compute() after the last one."
        )

    def reset(self) -> None:
        """Forget the images; the real ones stay where `reset_real_features` is False."""
        real = list(self.real)  # torchmetrics clears the list itself
        super().reset()
        if not self.reset_real_features:
            self.real = real

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        images = torch.as_tensor(images)
        if images.ndim == 2:
            return as_features(images, role="images").detach().to(self.device, torch.float32)
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                "images: expected [b, 3, H, W] or [b, 1, H, W], or features [b, d], got "
                f"{list(images.shape)}."
            )
        if self.normalize:
            images = _as_bytes(images)
        elif images.is_floating_point():
            raise InputError(
                "images: expected uint8, got floats. Pass normalize=True where they lie in [0, 1]."
            )
        array = images.permute(0, 2, 3, 1).cpu().numpy()
        with ArraySource(array, name="images", where="images") as source:
            rows = extract(source, extractor=self._extractor, cache=None).array
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self.device)

    def _add(self, state: list[torch.Tensor], rows: torch.Tensor) -> None:
        state.append(rows)

    def _dimension(self, part: torch.Tensor) -> int:
        return int(part.shape[1])

    def _rows(self) -> dict[str, Any]:
        """All rows by role, [n, d].

        Raises:
            InputError: a set has no images.
        """
        return {
            role: torch.cat(list(_seen(state, role)))
            for role, state in (("generated", self.generated), ("train", self.real))
        }


class MomentsMetric(SetsMetric):
    """A `SetsMetric` that needs mean and covariance only: memory does not grow with the images."""

    def _add(self, state: list[torch.Tensor], rows: torch.Tensor) -> None:
        new = Moments()
        new.add_rows(rows)
        joined = Moments()
        for moments in (*map(_unpack, state), new):  # several after `merge_state`
            joined.merge(moments)
        state[:] = [_pack(joined).to(self.device)]

    def _dimension(self, part: torch.Tensor) -> int:
        return int(_unpack(part).mean.shape[0])

    def _moments(self) -> dict[str, Moments]:
        """The moments by role, of all ranks."""
        joined = {}
        for role, state in (("generated", self.generated), ("train", self.real)):
            joined[role] = Moments()
            for row in torch.cat(list(_seen(state, role))):
                joined[role].merge(_unpack(row[None]))
        check_same_dimension(**{role: moments.scatter for role, moments in joined.items()})
        return joined


def _seen(state: list[torch.Tensor] | torch.Tensor, role: str) -> list[torch.Tensor]:
    """The parts of a state: a list here, one tensor once ranks are joined."""
    parts = [state] if isinstance(state, torch.Tensor) else state
    if not any(map(len, parts)):
        which = "real=True" if role == "train" else "real=False"
        raise InputError(
            f"{role}: expected images before compute(), got none: update(images, {which})."
        )
    return parts


def gather_rows(rows: torch.Tensor, group: Any = None) -> list[torch.Tensor]:
    """The rows of all ranks, in their order; a rank may have none.

    Args:
        rows: [b, ·], or [0] on a rank without any, whatever its dtype, as torchmetrics makes it.
        group: the process group; None for all ranks.

    Raises:
        InputError: the ranks' rows differ in dimension; on every rank.
    """
    is_double = int(rows.dtype == torch.float64 and rows.ndim == 2)
    form = torch.tensor([rows.shape[1] if rows.ndim == 2 else 0, is_double], device=rows.device)
    forms = torch.stack(gather_all_tensors(form, group)).tolist()
    widths = {width for width, _ in forms if width}
    if len(widths) > 1:
        raise InputError(
            "images: expected features of one dimension on all ranks, got rows of "
            f"{' and '.join(map(str, sorted(widths)))} numbers."
        )
    if rows.ndim != 2 and widths:
        dtype = torch.float64 if any(double for _, double in forms) else torch.float32
        rows = torch.zeros(0, *widths, dtype=dtype, device=rows.device)
    return gather_all_tensors(rows, group)


def _pack(moments: Moments) -> torch.Tensor:
    """Moments as one row, float64 [1, 1 + d + d²]."""
    count = torch.tensor([moments.count], dtype=torch.float64)
    parts = [torch.as_tensor(part) for part in (moments.mean, moments.scatter.reshape(-1))]
    return torch.cat([count.to(parts[0].device), *parts])[None]


def _unpack(row: torch.Tensor) -> Moments:
    flat = row[0]
    dimension = int((flat.numel() - 0.75) ** 0.5)  # 1 + d + d² = (d + ½)² + ¾
    return Moments(
        count=round(float(flat[0])),
        mean=flat[1 : 1 + dimension],
        scatter=flat[1 + dimension :].reshape(dimension, dimension),
    )


def _as_bytes(images: torch.Tensor) -> torch.Tensor:
    """Floats in [0, 1] as uint8, in torchmetrics' way: times 255, the fraction cut off."""
    low, high = (float(images.min()), float(images.max())) if images.numel() else (0.0, 0.0)
    if not images.is_floating_point() or not (low >= 0 and high <= 1):
        raise InputError(
            "images: expected floats in [0, 1], as normalize=True says, got "
            f"{images.dtype} from {low:.4g} to {high:.4g}."
        )
    return (images * 255).to(torch.uint8)
