"""Results of a study of memorization rejection, from the metrics of a run to the whole study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genmem.io.documents import Document

Tau = float | Literal["auto"]
"""A distance, or "auto"; 0 is training without rejection."""

METRICS = (
    "fd",
    "fd_test",
    "memorization_distance",
    "copied_fraction",
    "c_t",
    "c_t_cells",
    "c_t_by_class",
)
"""Fields of `RunMetrics`; each gets a mean over seeds and a paired difference."""

Values = Mapping[int, float | None]
"""A number of each seed's run; None where it is not defined."""


@dataclass(frozen=True, kw_only=True)
class ClassMetrics:
    """Metrics of the samples of one class; None where there are too few."""

    c_t: float | None
    memorization_distance: float | None


@dataclass(frozen=True, kw_only=True)
class RunMetrics(Document):
    """One run's samples in one feature space; None where a metric is not defined.

    Attributes:
        fd: to the training images.
        fd_test: FD to the held-out images.
        memorization_distance: mean distance to the nearest training image.
        copied_fraction: see `genmem.metrics.copied_fraction`.
        c_t: over one cell.
        c_t_cells: over k-means cells.
        c_t_by_class: mean over classes.
        references: C_T with each reference set, by name.
        classes: by class; empty where the training images have no classes.
    """

    fd: float | None
    fd_test: float | None
    memorization_distance: float | None
    copied_fraction: float | None
    c_t: float | None
    c_t_cells: float | None
    c_t_by_class: float | None
    references: dict[str, float | None]
    classes: dict[str, ClassMetrics]


@dataclass(frozen=True, kw_only=True)
class SeedMean:
    """A mean over seeds with its 95 % interval (Student's t).

    Attributes:
        mean: None without a value.
        low, high: ends of the interval; None for fewer than two seeds.
        n: how many seeds.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class PairedMean(SeedMean):
    """A mean over seeds, and the mean difference to the run without rejection of the same seed."""

    difference: SeedMean


@dataclass(frozen=True, kw_only=True)
class LogSummary:
    """What a run's log says of its cost and its rejection; None where it does not.

    Attributes:
        seconds_per_step: median of the log's lines.
        acceptance: share of the images that were accepted.
        tau: the last one in force.
    """

    seconds_per_step: float | None
    acceptance: float | None
    tau: float | None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """One run of the study.

    Attributes:
        name: of its folder.
        model, tau, seed: what identifies it.
        log: of its training.
        metrics: by feature space.
        ended: why it ended before its last step; None: it did not.
    """

    name: str
    model: str
    tau: Tau
    seed: int
    log: LogSummary
    metrics: dict[str, RunMetrics]
    ended: str | None = None


@dataclass(frozen=True, kw_only=True)
class SetInfo:
    """A set of images: its name, how many images it has, and their hash."""

    name: str
    count: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class PlanInfo:
    """What a study consists of.

    Attributes:
        train, test, references: sets of images.
        classes: of the training images.
        models, taus, seeds: of the runs.
        backbone: that rejection compares in.
        evaluate_with: backbones that samples are evaluated in.
        samples: generated images evaluated of each run.
        training: configuration that all runs share.
        widths: by model, the widths of generator and discriminator and the dimension of z.
    """

    train: SetInfo
    test: SetInfo
    references: dict[str, SetInfo]
    classes: tuple[str, ...]
    models: tuple[str, ...]
    taus: tuple[Tau, ...]
    seeds: tuple[int, ...]
    backbone: str
    evaluate_with: tuple[str, ...]
    samples: int
    training: dict[str, Any]
    widths: dict[str, tuple[int, int, int]]


@dataclass(frozen=True, kw_only=True)
class ReferenceInfo:
    """A reference set's distances to the nearest training image."""

    count: int
    mean_distance: float
    histogram: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class SpaceInfo:
    """A feature space.

    Attributes:
        backbone: its description.
        edges: of the bins of all histograms in this space.
        references: by name.
    """

    backbone: dict[str, Any]
    edges: tuple[float, ...]
    references: dict[str, ReferenceInfo]


@dataclass(frozen=True, kw_only=True)
class CellLog:
    """The logs of a cell's runs, over seeds; `cost_ratio`: of a step, to one without rejection."""

    tau: SeedMean
    acceptance: SeedMean
    seconds_per_step: SeedMean
    cost_ratio: SeedMean


@dataclass(frozen=True, kw_only=True)
class ClassMeans:
    """`ClassMetrics` over seeds."""

    c_t: PairedMean
    memorization_distance: PairedMean


@dataclass(frozen=True, kw_only=True)
class CellMetrics:
    """A cell's runs in one feature space, over seeds.

    Attributes:
        metrics: by name, see `METRICS`.
        references: C_T with each reference set, by name.
        classes: by class.
        histogram: shares of distances in each bin, all seeds together; None without a run.
    """

    metrics: dict[str, PairedMean]
    references: dict[str, PairedMean] = field(default_factory=dict)
    classes: dict[str, ClassMeans] = field(default_factory=dict)
    histogram: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model at one τ.

    Attributes:
        model, tau: what identifies it.
        seeds: of the runs that were evaluated.
        ended: why runs ended before their last step, by seed.
        log: over seeds.
        spaces: by feature space.
    """

    model: str
    tau: Tau
    seeds: tuple[int, ...]
    ended: dict[int, str]
    log: CellLog
    spaces: dict[str, CellMetrics]


@dataclass(frozen=True, kw_only=True)
class MapPanel:
    """Samples of one run on a map: points [n, 2], and each one's distance to a training image."""

    tau: Tau
    seed: int
    points: tuple[tuple[float, float], ...]
    distances: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Map:
    """A model's t-SNE map: points of training images [n, 2], and a panel for each τ shown."""

    model: str
    train: tuple[tuple[float, float], ...]
    panels: tuple[MapPanel, ...]


@dataclass(frozen=True, kw_only=True)
class StudyResults(Document):
    """Everything that a study found.

    Attributes:
        kind: what the file is.
        plan: what the study consists of.
        spaces: feature spaces by name; the first is shown most closely.
        runs: all runs.
        cells: all models at all τ.
        maps: by model.
        versions: of the software, by package.
    """

    kind: str = "genmem rejection study 1"
    plan: PlanInfo
    spaces: dict[str, SpaceInfo]
    runs: tuple[RunResult, ...]
    cells: tuple[Cell, ...]
    maps: tuple[Map, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    def cells_of(self, model: str) -> list[Cell]:
        """A model's cells that have an evaluated run, in the order of τ."""
        return [cell for cell in self.cells if cell.model == model and cell.seeds]

    def runs_of(self, cell: Cell) -> list[RunResult]:
        """The runs of one model at one τ."""
        return [run for run in self.runs if (run.model, run.tau) == (cell.model, cell.tau)]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Samples about one percentile of the distance, each beside its nearest training image.

    Attributes:
        percentile: of the distance.
        distances: of the pairs.
        png: all pairs side by side.
    """

    percentile: int
    distances: tuple[float, ...]
    png: bytes


@dataclass(frozen=True, kw_only=True)
class RunStrips:
    """The strips of one run; on the page only, not in study.json."""

    model: str
    tau: Tau
    seed: int
    strips: tuple[Strip, ...]
