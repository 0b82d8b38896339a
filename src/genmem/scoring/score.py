"""`genmem.score`: from two or three sets of images to everything the command line prints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.arrays import as_source
from genmem.distributed import use_workers
from genmem.features import BackboneLike, Backbones, Device, find_backbone
from genmem.images import ValueRange
from genmem.progress import ProgressOption, show_progress
from genmem.results import Score
from genmem.scoring.feature_sets import ExtractOptions, load_feature_sets
from genmem.scoring.gpu import on_gpu
from genmem.scoring.one_space import score_feature_sets
from genmem.scoring.plan import backbones_of, build_plans
from genmem.scoring.protocols import check_protocol, find_protocol, follow_protocol
from genmem.scoring.several_spaces import score_in_spaces
from genmem.scoring.stored_sets import default_backbone, open_references


def score(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbone: Backbones | None = None,
    metrics: Sequence[str] | None = None,
    protocol: str | None = None,
    tau: float | Mapping[str, float] | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    ray: str | None = None,
    workers: int = 1,
    progress: ProgressOption = None,
) -> Score:
    """Score the quality of generated images and how much they copy the training set.

    Args:
        generated: a folder, .zip, .tar, .parquet, .npy/.npz, several of them by a pattern, a URL or
            `hf:DATASET[:split]` (`docs/sources.md`); images or float features [n, d] in memory; a
            torch `Dataset` or `DataLoader`, a list of paths or any other iterable of images
            (`docs/python.md`); or a sampler's (`genmem.sample_images`).
        train: the training set, in any of these forms; or its mean and covariance (`Statistics`, or
            an .npz file with mu and sigma), which serve FD only; or a reference
            (`genmem.open_reference`, or its folder), which takes the place of the images.
        test: held-out images of the same kind; None takes those of a reference, and without any
            leaves out the metrics that need them.
        backbone: feature space: a name (`genmem backbones` lists them), or a network of your own as
            a file, torch module, callable or `custom_backbone`; unused where features are given.
            None takes the first of a reference, else "inception". Of a list of several, each is a
            feature space with all metrics (`Score.spaces`), under one verdict.
        metrics: names or aliases of metrics; None for all that the data allow.
        protocol: how a tool computes its numbers, by its name ("adm", "edm", "cleanfid",
            "pytorch-fid", "dgm-eval", "torch-fidelity"): backbones, metrics, and what these leave
            open (`docs/protocols.md`); None for genmem's own way.
        tau: MiFID's threshold; None for the backbone's published one, if there is one. Of several
            backbones, thresholds by their names.
        seed: seed of everything random.
        weights: weights file of the backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps": where the backbone runs. On CUDA
            searches, FD and KD are computed there too, as far as the rows fit.
        batch_size: images per call of the network; None for what its engine is fastest at.
        value_range: the values of black and white in floating-point images, (0, 1) or (-1, 1).
            None refuses such images: their values do not say it.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        ray: address of a Ray cluster that does the work, or "local"; None: this machine. Its
            machines see the images and the cache folder under the same names.
        workers: processes of this machine that do the work, where there is no address.
        progress: None for bars on a terminal or in a notebook; False for none, True for progress
            anywhere, or a function that is called with (stage, done, total or None).

    Returns:
        A `Score`: metrics, inputs, the closest pairs, and where all of it came from.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: a metric, backbone, τ or device that does not exist or lacks what it needs.
        WeightsError: the backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> rng = np.random.default_rng(0)
        >>> train, test = rng.normal(size=(2, 100, 8))
        >>> copies = np.concatenate([train[:50], rng.normal(size=(50, 8))])
        >>> result = genmem.score(
        ...     generated=copies, train=train, test=test, metrics=["copied_fraction", "c_t"]
        ... )
        >>> print(f"{float(result['copied_fraction']):.0%} copied")
        50% copied
    """
    started = time.perf_counter()
    sources = {"generated": generated, "train": train}
    if test is not None:
        sources["test"] = test
    sources = {role: as_source(source, role=role) for role, source in sources.items()}
    sources = open_references(sources)
    rules = None if protocol is None else find_protocol(protocol)
    if rules is not None:
        seed = check_protocol(rules, backbone=backbone, seed=seed)
        backbones: list[BackboneLike] = list(rules.chosen(metrics))
        if len({find_backbone(one).weights for one in backbones}) > 1:
            backbones_of(backbones, weights=weights)  # one file cannot be of several networks
    else:
        chosen = default_backbone(sources["train"]) if backbone is None else backbone
        backbones = backbones_of(chosen, weights=weights)
    plans = build_plans(sources, backbones, metrics=metrics, tau=tau, seed=seed, protocol=rules)
    with (
        show_progress(progress) as show,
        use_workers(ray, workers, progress=show),
        ExitStack() as stack,
    ):
        options = ExtractOptions(
            weights=weights,
            device=device,
            batch_size=batch_size,
            value_range=value_range,
            skip_broken=skip_broken,
            progress=show,
        )
        if len(backbones) > 1:
            result = score_in_spaces(sources, backbones, plans, stack=stack, options=options)
        else:
            sets = load_feature_sets(
                sources, stack=stack, backbone=backbones[0], options=options, statistics=True
            )
            extracted = time.perf_counter() - started
            result = score_feature_sets(on_gpu(sets, device), plans[0], progress=show)
            result = replace(result, seconds={"features": extracted, **result.seconds})
    if rules is not None:
        result = follow_protocol(result, rules)
    seconds = {**result.seconds, "total": time.perf_counter() - started}
    return replace(result, seconds=seconds)
