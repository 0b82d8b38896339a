"""The optimal denoiser: the minimum of a diffusion model's training loss, in closed form.

    D*(x; σ) = Σᵢ softmaxᵢ(−‖x − yᵢ‖²/2σ²) · yᵢ ,   score (D* − x)/σ²

over the training images yᵢ, in [−1, 1] ("On Memorization in Diffusion Models", Gu et al. 2023,
arXiv 2310.02664; "Elucidating the Design Space", Karras et al. 2022, arXiv 2206.00364, appendix B).
Its samples are training images: it is the perfect memorizer, and every metric must show that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.arrays import float64_device
from genmem.errors import InputError, UsageError
from genmem.features.engines import torch_device
from genmem.neighbors.float32_bound import score_tolerance
from genmem.torch_settings import ieee_float32
from genmem.training.diffusion.streaming_softmax import (
    BLOCK_BYTES,
    Queries,
    TrainingRows,
    dense_mean,
    near_mean,
)

FINE = 1e-6
"""Typical error of a float32 logit up to which no weight is computed again."""

COARSE = 5e-5
"""Typical error of a float32 logit from which only rows near the query get weights."""


class OptimalDenoiser:
    """`denoise(x, sigma, labels)` by the closed form, over a training set of any size.

    Needs three blocks of about 32 MiB beside the images. The result equals the formula in float64
    to 1e-5 for every σ (see `streaming_softmax`).
    """

    def __init__(
        self,
        images: Any,
        *,
        labels: NDArray[np.int64] | torch.Tensor | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """Take the training images and read them once.

        Args:
            images: uint8 [n, C, H, W] (pixel p stands for p/127.5 − 1), or floating point in
                [−1, 1]; NumPy, memory-mapped too, or torch. They are not copied; a GPU takes NumPy
                arrays whole if they fit into half of its free memory, else block by block.
            labels: int [n], the class of each image, for denoising within classes.
            device: where to compute (for MPS, which has no float64, the CPU). Results are returned
                on the device of the queries.

        Raises:
            InputError: they are not images, or the labels are not one whole number per image.
        """
        self._rows = TrainingRows(images, device=float64_device(torch_device(device)))
        self._order = self._sorted = None
        if labels is not None:
            labels = torch.as_tensor(labels).cpu()
            _check_labels(labels, len(self._rows))
            self._sorted, self._order = labels.long().sort(stable=True)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self._rows.shape

    @torch.no_grad()
    @ieee_float32()
    def denoise(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor | float,
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """D*(x; σ): the mean of the training images (of the class), given x.

        Args:
            x: floating point [b, C, H, W], within ±1e9.
            sigma: standard deviation of the noise, at least 1e-6: one number, or [b].
            labels: int64 [b], the class to which the sum is restricted; None: all images.

        Returns:
            Like `x`.

        Raises:
            InputError: `x` is not images of the training images' shape with such pixels, or σ is
                smaller or infinite, or there is not one whole number per image as its label, or no
                training image has the label.
            UsageError: labels are given, but the training images have none.
        """
        queries = self._queries(x, sigma)
        scale, effort = self._effort(queries)
        means = torch.empty_like(queries.rows)
        if labels is None:
            self._fill(means, queries, torch.arange(len(x)), scale, effort, subset=None)
        else:
            _check_labels(labels, len(x))
            labels = labels.cpu()
            for label in labels.unique().tolist():
                some = (labels == label).nonzero().flatten()
                subset = self._of_class(label)
                self._fill(means, queries, some, scale, effort, subset=subset)
        return self._rows.to_images(means).to(x.dtype).to(x.device)

    __call__ = denoise

    def _queries(self, x: torch.Tensor, sigma: torch.Tensor | float) -> Queries:
        if tuple(x.shape[1:]) != self.shape or not x.is_floating_point():
            raise InputError(
                f"x: expected floating-point images [b, {', '.join(map(str, self.shape))}], as the "
                f"training images are, got {x.dtype} of shape {list(x.shape)}."
            )
        if not bool((x.abs() <= _LARGEST_PIXEL).all()):
            raise InputError(
                f"x: expected finite pixels, of at most {_LARGEST_PIXEL:g}, got larger ones, NaN "
                "or infinity."
            )
        rows = self._rows.to_rows(x)
        if isinstance(sigma, torch.Tensor):
            sigma = sigma.to(rows.device)
        sigmas = torch.as_tensor(sigma, dtype=torch.float64, device=rows.device).flatten()
        fit = (sigmas.float() >= _SMALLEST_SIGMA) & sigmas.isfinite()
        if len(sigmas) not in (1, len(x)) or not bool(fit.all()):
            raise InputError(
                f"sigma: expected one number of at least {_SMALLEST_SIGMA:g}, or one for each of "
                f"{len(x)} images, got {sigmas.tolist()[:5]}."
            )
        return Queries(rows, (sigmas / self._rows.scale).expand(len(x)))

    def _of_class(self, label: int) -> torch.Tensor:
        if self._sorted is None or self._order is None:
            raise UsageError(
                "labels: the optimal denoiser has no labels. Give it those of the training images."
            )
        bounds = torch.searchsorted(self._sorted, torch.tensor([label, label + 1]))
        if bounds[0] == bounds[1]:
            raise InputError(f"labels: no training image has label {label}.")
        return self._order[bounds[0] : bounds[1]]

    def _effort(self, queries: Queries) -> tuple[torch.Tensor, torch.Tensor]:
        """What float32 leaves of a query's logits.

        Returns:
            float64 [b] on the device, the scale of the errors; and int [b] on the CPU: 0 for
            logits finer than `FINE`, 2 for coarser than `COARSE`, 1 between them.
        """
        norms = torch.linalg.vector_norm(queries.rows, dim=1)
        scale = norms * self._rows.radius + self._rows.radius**2 / 2
        typical = _TYPICAL * scale / queries.sigma.square()
        return scale, ((typical > FINE).int() + (typical > COARSE).int()).cpu()

    def _fill(
        self,
        means: torch.Tensor,
        queries: Queries,
        some: torch.Tensor,
        scale: torch.Tensor,
        effort: torch.Tensor,
        *,
        subset: torch.Tensor | None,
    ) -> None:
        """Write the centred rows of some queries (positions on the CPU), a block at a time."""
        step = max(1, BLOCK_BYTES // (4 * means.shape[1]))
        for rows in some.split(step):
            for least in (0, 1, 2):
                chosen = rows[effort[rows] == least].to(means.device)
                if not len(chosen):
                    continue
                if least == 2:
                    means[chosen] = self._near(queries[chosen], scale[chosen], subset)
                    continue
                means[chosen] = dense_mean(
                    self._rows, queries[chosen], subset=subset, reweigh=least == 1
                ).double()

    def _near(
        self, queries: Queries, scale: torch.Tensor, subset: torch.Tensor | None
    ) -> torch.Tensor:
        tolerance = score_tolerance(int(queries.rows.shape[1])) * scale
        means, crowded = near_mean(self._rows, queries, tolerance=tolerance, subset=subset)
        rest = crowded.nonzero().flatten()
        if len(rest):
            means[rest] = dense_mean(
                self._rows, queries[rest], subset=subset, in_float64=True
            ).double()
        return means


def _check_labels(labels: torch.Tensor, images: int) -> None:
    """Raise InputError unless there is one whole number per image."""
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if tuple(labels.shape) != (images,) or not whole:
        raise InputError(
            f"labels: expected {images} whole numbers, one per image, got {labels.dtype} of shape "
            f"{list(labels.shape)}."
        )


_LARGEST_PIXEL, _SMALLEST_SIGMA = 1e9, float(np.float32(1e-6))
"""Beyond these, squares of distances over σ² leave too little of a float64 to compare by."""

_TYPICAL = 0.3 * 2.0**-24
"""Typical error of a float32 score, per unit of `scale`; rows are left out by a bound that always
holds (`score_tolerance`)."""
