"""`kd`, `inception_score`, `precision` and `recall` against torch-fidelity's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.cases.common import against_peer, feature_files
from benchmarks.data import write_logits
from benchmarks.features_task import OnFeatures, unchanged
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from benchmarks.worker import Worker


def our_kd(generated: Any, train: Any, *, subsets: int, subset_size: int) -> dict[str, float]:
    """genmem's kd."""
    from genmem.metrics.kid import kd

    result = kd(generated=generated, train=train, subsets=subsets, subset_size=subset_size)
    return {"kd": float(result)}


def our_inception_score(logits: Any, _: Any) -> dict[str, float]:
    """genmem's inception_score."""
    from genmem.metrics.inception_score import inception_score

    return {"inception_score": float(inception_score(logits=logits))}


def our_precision_recall(generated: Any, train: Any) -> dict[str, float]:
    """genmem's precision and recall, computed together, as torch-fidelity does."""
    from genmem.metrics.prdc import prdc

    results = prdc(generated=generated, train=train, names=["precision", "recall"])
    return {name: float(result) for name, result in results.items()}


def our_manifold_metrics(generated: Any, train: Any) -> dict[str, float]:
    """genmem's precision, recall, density and coverage, computed together."""
    from genmem.metrics.prdc import prdc

    return {name: float(result) for name, result in prdc(generated=generated, train=train).items()}


def kernel_distance(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """kd; torch-fidelity in its own float32, and in float64, where sums do not cancel."""
    files = feature_files(folder, sizes, train_rows=sizes.rows)
    of = {"subsets": sizes.subsets, "subset_size": sizes.subset_size}
    with Worker(OnFeatures, partial(our_kd, **of), unchanged, *files) as ours:
        for peer, prepare in (
            ("torch-fidelity", peers.tensors),
            ("torch-fidelity, given float64", peers.double_tensors),
        ):
            yield against_peer(
                case=f"kd, {sizes.subsets} subsets of {sizes.subset_size:,}",
                peer=peer,
                ours=ours,
                measure=partial(peers.torch_fidelity_kd, **of),
                prepare=prepare,
                files=files,
                sizes=sizes,
            )


def inception_score(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """inception_score of logits; the second file is not used."""
    logits = write_logits(folder / "logits.npy", rows=sizes.rows, classes=sizes.classes)
    files = (logits, logits)
    with Worker(OnFeatures, our_inception_score, unchanged, *files) as ours:
        yield against_peer(
            case=f"inception_score of {sizes.rows:,} × {sizes.classes:,} logits",
            peer="torch-fidelity",
            ours=ours,
            measure=peers.torch_fidelity_inception_score,
            prepare=peers.tensors,
            files=files,
            sizes=sizes,
        )


def precision_recall(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """precision and recall, k = 3; then with density and coverage, k = 5, which the peer lacks."""
    files = feature_files(folder, sizes, train_rows=sizes.rows)
    for case, measure, minimum in (
        ("precision and recall", our_precision_recall, None),
        ("precision, recall, density and coverage", our_manifold_metrics, 1.7),
    ):
        with Worker(OnFeatures, measure, unchanged, *files) as ours:
            yield against_peer(
                case=f"{case}, {sizes.rows:,} × {sizes.rows:,}",
                peer="torch-fidelity" if minimum is None else "torch-fidelity's precision, recall",
                ours=ours,
                measure=peers.torch_fidelity_precision_recall,
                prepare=peers.tensors,
                files=files,
                sizes=sizes,
                minimum=minimum,
            )
