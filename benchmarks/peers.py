"""What the peers offer, called as they call it themselves.

Each function names the peer, and where its own code differs from genmem's in what it is given
(precision, order of arguments), how that was handled. All are imported inside, so that a peer that
is missing or does not run here costs its own row only.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.worker import Skipped

Values = dict[str, Any]


def tensors(generated: Any, train: Any) -> tuple[Any, Any]:
    """Features as float32 tensors, which torch-fidelity keeps."""
    return torch.from_numpy(generated), torch.from_numpy(train)


def double_tensors(generated: Any, train: Any) -> tuple[Any, Any]:
    """Features as float64 tensors, which torchmetrics keeps."""
    return torch.from_numpy(generated).double(), torch.from_numpy(train).double()


def double_arrays(generated: Any, train: Any) -> tuple[Any, Any]:
    """Features as float64 arrays, which pytorch-fid keeps."""
    return generated.astype(np.float64), train.astype(np.float64)


def mean_and_covariance(generated: Any, train: Any) -> tuple[Any, ...]:
    """μ and Σ of both sets in float64: what the peers' formulas take."""
    return tuple(
        part
        for rows in double_arrays(generated, train)
        for part in (rows.mean(axis=0), np.cov(rows, rowvar=False))
    )


def torch_fidelity_fd_from_moments(mu_g: Any, sigma_g: Any, mu_t: Any, sigma_t: Any) -> Values:
    """torch-fidelity's formula: eigenvalues of the non-symmetric Σ_gΣ_t."""
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    result = fid_statistics_to_metric(
        {"mu": mu_g, "sigma": sigma_g}, {"mu": mu_t, "sigma": sigma_t}, verbose=False
    )
    return {"fd": result["frechet_inception_distance"]}


def pytorch_fid_fd_from_moments(mu_g: Any, sigma_g: Any, mu_t: Any, sigma_t: Any) -> Values:
    """pytorch-fid's formula: scipy's matrix square root."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    return {"fd": calculate_frechet_distance(mu_g, sigma_g, mu_t, sigma_t)}


def clean_fid_fd_from_moments(mu_g: Any, sigma_g: Any, mu_t: Any, sigma_t: Any) -> Values:
    """clean-fid's formula: scipy's matrix square root."""
    from cleanfid.fid import frechet_distance

    return {"fd": frechet_distance(mu_g, sigma_g, mu_t, sigma_t)}


def torch_fidelity_fd(generated: Any, train: Any) -> Values:
    """torch-fidelity from features, its means in float32 as it takes them."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    result = fid_statistics_to_metric(
        fid_features_to_statistics(generated), fid_features_to_statistics(train), verbose=False
    )
    return {"fd": result["frechet_inception_distance"]}


def pytorch_fid_fd(generated: Any, train: Any) -> Values:
    """pytorch-fid from features: the lines of its `calculate_activation_statistics` that follow
    the network, then its formula.
    """
    return pytorch_fid_fd_from_moments(
        np.mean(generated, axis=0),
        np.cov(generated, rowvar=False),
        np.mean(train, axis=0),
        np.cov(train, rowvar=False),
    )


def torch_fidelity_kd(generated: Any, train: Any, *, subsets: int, subset_size: int) -> Values:
    """torch-fidelity's KID with genmem's seed, so that the same subsets are compared."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    result = kid_features_to_metric(
        generated,
        train,
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        rng_seed=0,
        verbose=False,
    )
    return {"kd": result["kernel_inception_distance_mean"]}


def torch_fidelity_inception_score(logits: Any, _: Any) -> Values:
    """torch-fidelity's Inception Score with genmem's seed."""
    from torch_fidelity.metric_isc import isc_features_to_metric

    return {"inception_score": isc_features_to_metric(logits, rng_seed=0)["inception_score_mean"]}


def torch_fidelity_precision_recall(generated: Any, train: Any) -> Values:
    """torch-fidelity's default; its `features_1` are the generated ones."""
    from torch_fidelity.metric_prc import prc_features_to_metric

    result = prc_features_to_metric(
        generated,
        train,
        prc_neighborhood=3,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    return {name: result[name] for name in ("precision", "recall")}


def torchmetrics_distance(generated: Any, train: Any) -> Values:
    """torchmetrics' cosine distance, the first argument to the second.

    Its MiFID hands over (real, generated), and so averages over the training images. Called with
    (generated, train) it is genmem's quantity. The threshold that would replace it is out of reach.
    """
    from torchmetrics.image.mifid import _compute_cosine_distance

    result = _compute_cosine_distance(generated, train, cosine_distance_eps=math.inf)
    return {"memorization_distance": float(result)}


class TorchFidelityInception:
    """torch-fidelity's extractor, fed through its own loop over a data set in memory."""

    def __init__(self, weights: Path, images: NDArray[np.uint8]) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.extractor = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=str(weights),
        )
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        self.work = float(len(images))
        self._features(self.images[:2])

    def run(self) -> Values:
        """Features of all images."""
        return {"features": self._features(self.images)}

    def _features(self, images: torch.Tensor) -> NDArray[np.float32]:
        from torch_fidelity.utils import get_featuresdict_from_dataset

        result = get_featuresdict_from_dataset(
            _InMemory(images),
            self.extractor,
            batch_size=64,
            cuda=False,
            save_cpu_ram=True,  # no loader processes: their start would cost it seconds
            verbose=False,
        )
        return result["2048"].numpy()


class PytorchFidInception:
    """pytorch-fid's network, batches of 50 as it has them; it resizes by another rule.

    Its constructor downloads the weights; here it is handed the same file as the others.
    """

    def __init__(self, weights: Path, images: NDArray[np.uint8]) -> None:
        from pytorch_fid import inception

        inception.load_state_dict_from_url = partial(_load_local_weights, weights)
        self.network = inception.InceptionV3([3]).eval()
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        self.work = float(len(images))
        self._features(self.images[:2])

    def run(self) -> Values:
        """Features of all images; not comparable with the others'."""
        for batch in self.images.split(50):
            self._features(batch)
        return {}

    def _features(self, batch: torch.Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            return self.network(batch)[0].squeeze(3).squeeze(2).numpy()


class CleanFidInception:
    """clean-fid's resize and its PyTorch network (its own default is a TorchScript download)."""

    def __init__(self, weights: Path, images: NDArray[np.uint8]) -> None:
        from cleanfid import inception_pytorch
        from cleanfid.resize import build_resizer

        inception_pytorch.load_state_dict_from_url = partial(_load_local_weights, weights)
        with warnings.catch_warnings():
            # Of the names of torchvision's arguments.
            warnings.simplefilter("ignore", UserWarning)
            self.network = inception_pytorch.InceptionV3(resize_input=False).eval()
        self.resize = build_resizer("clean")
        self.images = images
        self.work = float(len(images))
        self._features(images[:2])

    def run(self) -> Values:
        """Features of all images; not comparable with the others'."""
        for start in range(0, len(self.images), 128):
            self._features(self.images[start : start + 128])
        return {}

    def _features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        resized = np.stack([self.resize(image) for image in images])
        batch = torch.from_numpy(resized).permute(0, 3, 1, 2)
        with torch.no_grad():
            return self.network(batch / 255)[0].squeeze(-1).squeeze(-1).numpy()


class _InMemory(torch.utils.data.Dataset):
    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> torch.Tensor:
        return self.images[position]


def _load_local_weights(weights: Path, *_: object, **__: object) -> dict[str, torch.Tensor]:
    """In place of a peer's download."""
    if not weights.is_file():
        raise Skipped("the weights file is missing")
    return torch.load(weights, weights_only=True)
