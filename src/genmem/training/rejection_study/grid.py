"""What a study consists of: every run's configuration, checked before the first run starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genmem.errors import UsageError
from genmem.io.paths import to_path
from genmem.results import Json
from genmem.study_results.rejection import Tau
from genmem.training.gan.config import GanConfig

RUNS = "runs"
"""The folder of the runs in the study's folder."""

LEAVE_ONE_OUT, TEST = "train, leave one out", "test"
"""References that every study has."""

MAX_SEEDS = 1_000
"""Runs of one model and τ."""


@dataclass(frozen=True, kw_only=True)
class GridRun:
    """One run.

    Attributes:
        model, tau, seed: what identifies it in the study.
        config: of its training.
        folder: its run folder.
    """

    model: str
    tau: Tau
    seed: int
    config: GanConfig
    folder: Path

    @property
    def name(self) -> str:
        """Of its folder: `biggan-tau-0.05-seed-1`."""
        return self.folder.name


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole study.

    Attributes:
        folder: of all its files.
        train, test: sources of training and held-out images.
        references: more sources to compare with, by name.
        taus: in the order of the page: 0 first, then rising, "auto" last.
        models: in the order given.
        seeds: 0, 1, …
        evaluate_with: backbones that samples are evaluated in.
        samples: generated images evaluated of each run.
        runs: all τ of a seed before the next seed, so that a study that is stopped early can be
            evaluated.
    """

    folder: Path
    train: str
    test: str
    references: Mapping[str, str]
    taus: tuple[Tau, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    evaluate_with: tuple[str, ...]
    samples: int
    runs: tuple[GridRun, ...]


def build_plan(
    *,
    folder: str | Path,
    train: str,
    test: str,
    taus: Sequence[Tau],
    models: Sequence[str],
    seeds: int,
    evaluate_with: Sequence[str],
    backbone: str | None = None,
    references: Mapping[str, str] | None = None,
    training: Mapping[str, Json] | None = None,
) -> Plan:
    """The runs of a study.

    Args:
        folder: of the study.
        train: source of the training images.
        test: source of the held-out images.
        taus: distances in the backbone, or "auto"; 0 is added where it is missing, since every
            difference is taken to it.
        models: GAN architectures.
        seeds: how many runs of each, with seeds 0, 1, …
        evaluate_with: backbones to evaluate in, preferably not the one that rejects.
        backbone: that rejection compares in; None: that of `training`.
        references: sources of further held-out sets by name.
        training: configuration that all runs share, as `genmem train gan --config` takes it; what
            the study varies (model, tau, seed) replaces its values. With `evaluate_every` the runs
            are evaluated during training too.

    Raises:
        UsageError: a model, setting or number that is not possible, or named twice.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise UsageError(f"seeds: expected at least 1 and at most {MAX_SEEDS:,}, got {seeds:,}.")
    for option, values in (("tau", taus), ("model", models), ("evaluate-with", evaluate_with)):
        if not values:
            raise UsageError(f"{option}: expected at least one, got none.")
        if len(set(values)) < len(values):
            raise UsageError(f"{option}: a value is named twice: {', '.join(map(str, values))}.")
    reserved = {LEAVE_ONE_OUT, TEST} & set(references or {})
    if reserved:
        raise UsageError(f"reference: the name {reserved.pop()!r} is reserved. Choose another one.")
    ordered, folder = _in_order(taus), to_path(folder, name="folder")
    common = _common_config(train, test, evaluate_with, backbone, training or {})
    runs = tuple(
        GridRun(
            model=model,
            tau=tau,
            seed=seed,
            config=GanConfig(
                **common | {"model": model, "tau": None if tau == 0 else tau, "seed": seed}
            ),
            folder=folder / RUNS / f"{model}-tau-{_text(tau)}-seed-{seed}",
        )
        for seed in range(seeds)
        for model in models
        for tau in ordered
    )
    return Plan(
        folder=folder,
        train=train,
        test=test,
        references=dict(references or {}),
        taus=ordered,
        models=tuple(models),
        seeds=tuple(range(seeds)),
        evaluate_with=tuple(evaluate_with),
        samples=runs[0].config.samples,
        runs=runs,
    )


def _common_config(
    train: str,
    test: str,
    evaluate_with: Sequence[str],
    backbone: str | None,
    training: Mapping[str, Json],
) -> dict[str, Json]:
    """The values that all runs share."""
    common: dict[str, Json] = dict(training) | {"train": train}
    if backbone is not None:
        common["backbone"] = backbone
    if common.get("evaluate_every"):
        return common | {"test": test, "evaluate_with": list(evaluate_with)}
    return common | {"evaluate_with": [], "evaluate_every": 0}


def _in_order(taus: Sequence[Tau]) -> tuple[Tau, ...]:
    numbers = sorted({0.0, *(float(tau) for tau in taus if tau != "auto")})
    return (*numbers, *(tau for tau in taus if tau == "auto"))


def _text(tau: Tau) -> str:
    """τ in a folder's name: `0`, `0.05`, `auto`; with as many digits as identify it."""
    return tau if isinstance(tau, str) else repr(float(tau)).removesuffix(".0")
