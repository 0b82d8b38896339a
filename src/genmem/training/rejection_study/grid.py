"""What a study consists of: every run's configuration, checked before the first run starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
    """A whole study. It is checked, with the configuration of every run, when it is made.

    Attributes:
        folder: of all its files.
        train, test: sources of training and held-out images.
        taus: distances in the backbone, or "auto": 0 first, then rising, "auto" last. 0 is added
            where it is missing, since every difference is taken to it.
        models: GAN architectures.
        seeds: how many runs of each, with seeds 0, 1, …
        evaluate_with: backbones that samples are evaluated in, preferably other than `backbone`.
        backbone: that rejection compares in; None: that of `training`.
        references: more sources of held-out images to compare with, by name.
        training: configuration that all runs share, as `genmem train gan --config` takes it; what
            the study varies (model, tau, seed) replaces its values. With `evaluate_every` the runs
            are evaluated during training too.

    Raises:
        UsageError: a model, setting or number that is not possible, or named twice.
    """

    folder: Path
    train: str
    test: str
    taus: Sequence[Tau]
    models: Sequence[str]
    seeds: int
    evaluate_with: Sequence[str]
    backbone: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise UsageError(
                f"seeds: expected at least 1 and at most {MAX_SEEDS:,}, got {self.seeds:,}."
            )
        lists = {"tau": self.taus, "model": self.models, "evaluate-with": self.evaluate_with}
        for option, values in lists.items():
            if not values:
                raise UsageError(f"{option}: expected at least one, got none.")
            if len(set(values)) < len(values):
                listed = ", ".join(map(str, values))
                raise UsageError(f"{option}: a value is named twice: {listed}.")
        if reserved := {LEAVE_ONE_OUT, TEST} & set(self.references):
            raise UsageError(
                f"reference: the name {reserved.pop()!r} is reserved. Choose another one."
            )
        object.__setattr__(self, "folder", to_path(self.folder, name="folder"))
        object.__setattr__(self, "taus", _in_order(self.taus))
        assert self.runs  # their configurations are checked here

    @property
    def samples(self) -> int:
        """Generated images evaluated of each run."""
        return self.runs[0].config.samples

    @cached_property
    def runs(self) -> tuple[GridRun, ...]:
        """All τ of a seed before the next seed: a study that is stopped early can be evaluated."""
        common = self._common_config()
        return tuple(
            GridRun(
                model=model,
                tau=tau,
                seed=seed,
                config=GanConfig(
                    **common | {"model": model, "tau": None if tau == 0 else tau, "seed": seed}
                ),
                folder=self.folder / RUNS / f"{model}-tau-{_text(tau)}-seed-{seed}",
            )
            for seed in range(self.seeds)
            for model in self.models
            for tau in self.taus
        )

    def _common_config(self) -> dict[str, Json]:
        """The values that all runs share."""
        common: dict[str, Json] = {**self.training, "train": self.train}
        if self.backbone is not None:
            common["backbone"] = self.backbone
        if common.get("evaluate_every"):
            return common | {"test": self.test, "evaluate_with": list(self.evaluate_with)}
        return common | {"evaluate_with": [], "evaluate_every": 0}


def _in_order(taus: Sequence[Tau]) -> tuple[Tau, ...]:
    numbers = sorted({0.0, *(float(tau) for tau in taus if tau != "auto")})
    return (*numbers, *(tau for tau in taus if tau == "auto"))


def _text(tau: Tau) -> str:
    """τ in a folder's name: `0`, `0.05`, `auto`; with as many digits as identify it."""
    return tau if isinstance(tau, str) else repr(float(tau)).removesuffix(".0")
