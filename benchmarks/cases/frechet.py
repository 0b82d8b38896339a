"""`fd` from moments and from features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.cases.common import against_peer, feature_files
from benchmarks.features_task import OnFeatures, unchanged
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from benchmarks.worker import Worker

_FROM_MOMENTS = (
    ("torch-fidelity", peers.torch_fidelity_fd_from_moments, 15.0),
    ("pytorch-fid", peers.pytorch_fid_fd_from_moments, 15.0),
    ("clean-fid", peers.clean_fid_fd_from_moments, None),
)
_FROM_FEATURES = (
    ("torch-fidelity", peers.torch_fidelity_fd, peers.tensors),
    ("pytorch-fid", peers.pytorch_fid_fd, peers.double_arrays),
)


def our_moments(generated: Any, train: Any) -> tuple[Any, Any]:
    """The moments of both sets, genmem's way."""
    from genmem.metrics.moments import moments

    return moments(generated), moments(train)


def our_fd(generated: Any, train: Any) -> dict[str, float]:
    """genmem's fd, of features or of moments."""
    from genmem.metrics.frechet import fd

    return {"fd": float(fd(generated=generated, train=train))}


def from_moments(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Only the distance; means and covariances are there."""
    files = feature_files(folder, sizes, train_rows=sizes.rows)
    with Worker(OnFeatures, our_fd, our_moments, *files) as ours:
        for peer, measure, minimum in _FROM_MOMENTS:
            yield against_peer(
                case=f"fd from moments, d = {sizes.dimension:,}",
                peer=peer,
                ours=ours,
                measure=measure,
                prepare=peers.mean_and_covariance,
                files=files,
                sizes=sizes,
                minimum=minimum,
                maximum_difference=1e-6,
            )


def from_features(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Means, covariances and the distance."""
    files = feature_files(folder, sizes, train_rows=sizes.rows)
    with Worker(OnFeatures, our_fd, unchanged, *files) as ours:
        for peer, measure, prepare in _FROM_FEATURES:
            yield against_peer(
                case=f"fd from two sets of {sizes.rows:,} × {sizes.dimension:,} features",
                peer=peer,
                ours=ours,
                measure=measure,
                prepare=prepare,
                files=files,
                sizes=sizes,
                minimum=8.0,
                maximum_difference=1e-6,
            )
