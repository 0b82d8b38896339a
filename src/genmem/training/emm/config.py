"""`EmmConfig`: the options of `genmem study emm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from genmem.errors import UsageError
from genmem.training.common.config import INTERNAL, Config, Names, Numbers
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.emm.bisection import size_grid
from genmem.training.emm.factors import (
    DEFAULT_SAMPLES,
    DEFAULT_SIDE,
    FACTORS,
    TrialConfig,
    build_config,
)

_FACTORS = "; ".join(f"{name}={factor.values}" for name, factor in FACTORS.items())


def _trainer_option(config: type[Config], name: str, default: Any = None) -> Any:
    """An option that sets a field of the trainer's configuration; None leaves it as it is."""
    field = config.model_fields[name]
    text = field.description or ""
    if "[default: " not in text:
        text = f"{text} [default: {field.default if default is None else default}]"
    extra = None if field.json_schema_extra == INTERNAL else field.json_schema_extra
    return Field(default=None, description=text, json_schema_extra=extra)


class EmmConfig(Config):
    """What a study is to find, and the options of its trainings."""

    sizes: Numbers | None = Field(
        default=None,
        description="Training-set sizes among which to find the EMM.",
        json_schema_extra={"metavar": "N,N,…"},
    )
    smallest: int | None = Field(
        default=None,
        description="Smallest training-set size to try (with `--to` and `--within`). "
        "[default: 500]",
        json_schema_extra={"flag": "--from", "metavar": "N"},
    )
    largest: int | None = Field(
        default=None,
        description="Largest training-set size to try. [default: the whole data set]",
        json_schema_extra={"flag": "--to", "metavar": "N"},
    )
    within: float | None = Field(
        default=None,
        description="Bracket the EMM within a factor of 1 + W. [default: 0.25]",
        json_schema_extra={"metavar": "W"},
    )
    at: Numbers | None = Field(
        default=None,
        description="Train at each of these sizes instead of searching for the EMM.",
        json_schema_extra={"metavar": "N,N,…"},
    )
    epsilon: float = Field(
        default=0.1,
        description="The EMM is the largest size with a memorization ratio of at least 1 − ε.",
    )
    seeds: int = Field(
        default=3, description="Number of repetitions.", json_schema_extra={"metavar": "N"}
    )
    factor: Names = Field(
        default=(),
        description="Repeat the study for each value of a factor. Repeat the option for more "
        f"factors; each is varied alone. Factors and their values: {_FACTORS}.",
        json_schema_extra={"metavar": "NAME=V1,V2,…", "repeated": True},
    )
    second_train: str | None = Field(
        default=None,
        description="Second source of training images, for the factor diversity.",
        json_schema_extra={"metavar": "SOURCE"},
    )
    drop_duplicates: bool = Field(default=False, description="Leave out repeated images.")
    size: int | None = _trainer_option(UNetConfig, "image_size", DEFAULT_SIDE)
    channels: int | None = _trainer_option(UNetConfig, "channels")
    labels: str | None = _trainer_option(DiffusionConfig, "labels")
    batch_size: int | None = _trainer_option(DiffusionConfig, "batch_size")
    epochs: int | None = _trainer_option(DiffusionConfig, "epochs")
    steps: int | None = _trainer_option(DiffusionConfig, "steps")
    snapshots: int | None = _trainer_option(DiffusionConfig, "snapshots")
    samples: int | None = _trainer_option(DiffusionConfig, "samples", DEFAULT_SAMPLES)

    def trial(self, file: Path | None) -> TrialConfig:
        """The configuration of the trials: these options over a file (see `build_config`)."""
        names = ("size", "channels", "labels", "batch_size", "epochs", "steps", "snapshots")
        return build_config(file, {name: getattr(self, name) for name in (*names, "samples")})

    def training_sizes(self, available: int) -> tuple[int, ...]:
        """The training-set sizes to choose from, ascending.

        Args:
            available: how many training images there are.

        Raises:
            UsageError: two ways to name the sizes at once, or a range that cannot be.
        """
        is_range = (self.smallest, self.largest, self.within) != (None, None, None)
        if sum((self.sizes is not None, self.at is not None, is_range)) > 1:
            raise UsageError("give one of --sizes, --at and --from/--to/--within.")
        if (listed := self.at if self.sizes is None else self.sizes) is not None:
            return tuple(sorted(set(listed)))
        first = min(500, available) if self.smallest is None else self.smallest
        last = available if self.largest is None else self.largest
        return size_grid(first, last, within=0.25 if self.within is None else self.within)
