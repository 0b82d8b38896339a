"""The metrics; each computes what the function of the same name in `genmem` does."""

from __future__ import annotations

from pathlib import Path

import torch

from genmem.features import BackboneLike, Device
from genmem.metrics.frechet import fd
from genmem.metrics.kid import kd
from genmem.metrics.memorization_distance import memorization_distance
from genmem.metrics.mifid import check_tau, mifid_from
from genmem.metrics.prdc import prdc_on_subsets
from genmem.torch.states import MomentsMetric, SetsMetric


class FrechetDistance(MomentsMetric):
    """Fréchet distance; FID with the default backbone (`genmem.fd`, Heusel et al. 2017).

    Arguments as for `SetsMetric`. `compute` returns a float64 scalar.

    Example:
        >>> import torch
        >>> from genmem.torch import FrechetDistance
        >>> fid = FrechetDistance("pixels")
        >>> images = torch.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2).to(torch.uint8)
        >>> fid.update(images, real=True)
        >>> fid.update(images + 9, real=False)
        >>> round(float(fid.compute()), 6)  # 12 pixels, each 9 further
        972.0
    """

    higher_is_better = False

    def compute(self) -> torch.Tensor:
        """The distance, float64 []."""
        return torch.tensor(float(fd(**self._moments())), dtype=torch.float64, device=self.device)


class KernelDistance(SetsMetric):
    """Kernel distance; KID with the default backbone (`genmem.kd`, Bińkowski et al. 2018).

    Arguments as for `SetsMetric`, and `subsets`, `subset_size` and `seed` as for `genmem.kd`.
    `compute` returns mean and standard deviation over subsets, as torchmetrics does.
    """

    higher_is_better = False

    def __init__(
        self,
        backbone: BackboneLike = "inception",
        *,
        subsets: int = 100,
        subset_size: int = 1_000,
        seed: int = 0,
        reset_real_features: bool = True,
        normalize: bool = False,
        weights: str | Path | None = None,
        device: Device = "auto",
    ) -> None:
        super().__init__(
            backbone,
            reset_real_features=reset_real_features,
            normalize=normalize,
            weights=weights,
            device=device,
        )
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def compute(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation over the subsets, float64 [] each."""
        result = kd(
            **self._rows(), subsets=self.subsets, subset_size=self.subset_size, seed=self.seed
        )
        mean, deviation = (
            torch.tensor(value, dtype=torch.float64, device=self.device)
            for value in (float(result), float(result.parts["deviation"]))
        )
        return mean, deviation


class MemorizationDistance(SetsMetric):
    """Mean cosine distance to the nearest real image (`genmem.memorization_distance`).

    Arguments as for `SetsMetric`. `compute` returns a float64 scalar: the smaller, the more the
    generator copies.
    """

    higher_is_better = True

    def compute(self) -> torch.Tensor:
        """The distance, float64 []."""
        value = float(memorization_distance(**self._rows()))
        return torch.tensor(value, dtype=torch.float64, device=self.device)


class MiFID(SetsMetric):
    """Memorization-informed Fréchet distance (`genmem.mifid`, Bai et al. 2021).

    Arguments as for `SetsMetric`, and `tau`, below which the memorization distance is penalized:
    0.1 is the competition's for Inception, also torchmetrics' default. `compute` returns a float64
    scalar. Where the set replays the training set the value means nothing and must not be ranked;
    `genmem.score` says so.
    """

    higher_is_better = False

    def __init__(
        self,
        backbone: BackboneLike = "inception",
        *,
        tau: float = 0.1,
        reset_real_features: bool = True,
        normalize: bool = False,
        weights: str | Path | None = None,
        device: Device = "auto",
    ) -> None:
        check_tau(tau)
        super().__init__(
            backbone,
            reset_real_features=reset_real_features,
            normalize=normalize,
            weights=weights,
            device=device,
        )
        self.tau = tau

    def compute(self) -> torch.Tensor:
        """The score, float64 []."""
        rows = self._rows()
        result = mifid_from(fd=fd(**rows), distance=memorization_distance(**rows), tau=self.tau)
        return torch.tensor(float(result), dtype=torch.float64, device=self.device)


class PrecisionRecallDensityCoverage(SetsMetric):
    """Precision, recall, density and coverage (Kynkäänniemi et al. 2019; Naeem et al. 2020).

    Arguments as for `SetsMetric`. `compute` returns a dict of float64 scalars, on equal subsets of
    at most 5,000 images, as `genmem.score` does.
    """

    higher_is_better = True

    def compute(self) -> dict[str, torch.Tensor]:
        """The four by name, float64 [] each."""
        return {
            name: torch.tensor(float(result), dtype=torch.float64, device=self.device)
            for name, result in prdc_on_subsets(**self._rows()).items()
        }
