"""What a study consists of: every run's settings, made and checked before the first one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmem.errors import UsageError
from genmem.results import Json
from genmem.training.gan.config import GanConfig

RUNS = "runs"
"""The folder of the runs in the study's folder."""

LEAVE_ONE_OUT, TEST = "train, leave one out", "test"
"""References that every study has."""

MOST_SEEDS = 1_000
"""Runs of one model and τ."""

Tau = float | str
"""A distance, or "auto"; 0 is training without rejection."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run.

    Attributes:
        model, tau, seed: what tells it apart in the study.
        settings: of its training.
        folder: the run's.
    """

    model: str
    tau: Tau
    seed: int
    settings: GanConfig
    folder: Path

    @property
    def name(self) -> str:
        """As its folder is called: `biggan-tau-0.05-seed-1`."""
        return self.folder.name


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole study.

    Attributes:
        folder: where everything of it is kept.
        data, test: sources of training and held-out images.
        references: more sources to compare with, by name.
        taus: in the order of the page: 0 first, then rising, "auto" last.
        models: in the order given.
        seeds: 0, 1, …
        measure_with: backbones that samples are measured in.
        images: generated images measured of each run.
        cases: the runs; all τ of a seed before the next seed, so that a study that was stopped
            early can be looked at.
    """

    folder: Path
    data: str
    test: str
    references: Mapping[str, str]
    taus: tuple[Tau, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    measure_with: tuple[str, ...]
    images: int
    cases: tuple[Case, ...]


def make_plan(
    *,
    folder: str | Path,
    data: str,
    test: str,
    taus: Sequence[Tau],
    models: Sequence[str],
    seeds: int,
    measure_with: Sequence[str],
    embedding: str | None = None,
    references: Mapping[str, str] | None = None,
    training: Mapping[str, Json] | None = None,
) -> Plan:
    """The runs of a study.

    Args:
        folder: of the study.
        data: source of the training images.
        test: source of the held-out images.
        taus: distances in the embedding, or "auto"; 0 is added where it is missing, for every
            difference is taken to it.
        models: names of `genmem.training.gan`.
        seeds: how many runs of each, with seeds 0, 1, …
        measure_with: backbones; best others than the embedding.
        embedding: what rejection compares in; None: as `training` has it.
        references: sources of further held-out sets by name.
        training: settings by name that all runs share, as `genmem train gan --config` takes them;
            what the study varies (model, tau, seed) is set over them. `evaluate_every` lets the
            runs measure on the way too; without it they do not.

    Raises:
        UsageError: a model, setting or number that is not possible, or named twice.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"seeds: expected at least 1 and at most {MOST_SEEDS:,}, got {seeds:,}.")
    for option, given in (("tau", taus), ("model", models), ("measure-with", measure_with)):
        if not given:
            raise UsageError(f"{option}: expected at least one, got none.")
        if len(set(given)) < len(given):
            raise UsageError(f"{option}: one is named twice: {', '.join(map(str, given))}.")
    taken = {LEAVE_ONE_OUT, TEST} & set(references or {})
    if taken:
        raise UsageError(f"reference: {taken.pop()!r} is there in every study; name it otherwise.")
    ordered = _in_order(taus)
    common: dict[str, Any] = dict(training or {}) | {"train": data}
    if embedding is not None:
        common["backbone"] = embedding
    common |= (
        {"test": test, "evaluate_with": list(measure_with)}
        if common.get("evaluate_every")
        else {"evaluate_with": [], "evaluate_every": 0}
    )
    folder = Path(folder)
    cases = tuple(
        Case(
            model=model,
            tau=tau,
            seed=seed,
            settings=GanConfig(
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
        data=data,
        test=test,
        references=dict(references or {}),
        taus=ordered,
        models=tuple(models),
        seeds=tuple(range(seeds)),
        measure_with=tuple(measure_with),
        images=cases[0].settings.samples,
        cases=cases,
    )


def _in_order(taus: Sequence[Tau]) -> tuple[Tau, ...]:
    numbers = sorted({0.0, *(float(tau) for tau in taus if not isinstance(tau, str))})
    return (*numbers, *(tau for tau in taus if isinstance(tau, str)))


def _text(tau: Tau) -> str:
    """τ in a folder's name: `0`, `0.05`, `auto`; as many digits as tell it apart."""
    return tau if isinstance(tau, str) else repr(float(tau)).removesuffix(".0")
