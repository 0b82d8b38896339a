"""Frozen results that all layers share: a value with its interval, sample sizes and origin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from genmem.errors import NotComputedError
from genmem.formatting import count, did_you_mean, number, percent, printable
from genmem.presenters import presenter
from genmem.trackers import log_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = Any
"""Anything `json.dumps` takes: numbers, strings, None, lists and string-keyed dicts of these."""


def to_json(value: object) -> Json:
    """Convert NumPy scalars and arrays, tuples, mappings and non-finite numbers to plain JSON.

    NaN and infinities, which JSON lacks, become None.
    """
    if hasattr(value, "to_dict"):  # a `Result` is a number, and a `Score` a mapping, too
        return value.to_dict()  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [to_json(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def fields_to_json(value: Any, *, leave_out: tuple[str, ...] = ()) -> dict[str, Json]:
    """The fields of a dataclass as plain JSON, without some of them."""
    names = (name for name in value.__dataclass_fields__ if name not in leave_out)
    return {name: to_json(getattr(value, name)) for name in names}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval: `level` is its coverage (0.95), `method` how it was computed."""

    low: float
    high: float
    level: float
    method: str

    def to_dict(self) -> dict[str, Json]:
        """The interval as plain JSON."""
        return to_json(asdict(self))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result(float):
    """One metric's result, which is a number, its value: a `float` with an origin.

    It is formatted, compared, rounded, averaged and hashed as its value is, wherever a number goes
    (`f"{result:.2f}"`, `numpy.mean([a, b])`, a logger), and what is computed from it is a plain
    float. Two results are equal where their values are; `result.parts` holds the components.

    Attributes:
        name: the metric's name in JSON (`fd`, `mifid`, …).
        value: the number.
        n: rows used per set, for example `{"generated": 10000, "train": 50000}`.
        parts: what the value was computed from; plain JSON values.
        interval: a confidence interval where one exists.
        seed: the random seed; None if nothing is random.
        notes: sentences that a reader of the value must know (rows dropped, n < d, …).
    """

    name: str
    value: float
    n: Mapping[str, int]
    parts: Mapping[str, Json] = field(default_factory=dict)
    interval: Interval | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __new__(cls, *, value: float, **fields: object) -> Self:
        """The number; the dataclass sets the fields."""
        del fields
        return super().__new__(cls, value)

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, float]]:
        return (), {"value": float(self)}

    def __str__(self) -> str:
        return float.__repr__(self)

    def __repr__(self) -> str:
        return f"<{self.name} {_with_interval(self)} of {_sizes(self.n)}>"

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON."""
        return to_json(
            {
                "value": self.value,
                "n": self.n,
                **({"interval": self.interval} if self.interval else {}),
                **({"seed": self.seed} if self.seed is not None else {}),
                **({"parts": self.parts} if self.parts else {}),
                **({"notes": self.notes} if self.notes else {}),
            }
        )


Label = Literal["copying", "suspicious", "no-sign", "no-yardstick", "open"]
"""What a verdict says of a generator."""

Basis = Literal["flags", "share", "exact", "left-out"]
"""What a verdict of copying rests on."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the evidence says of a generator as a whole.

    Attributes:
        label: "copying" (single images are closer to training images than honest ones ever are),
            "suspicious" (weaker evidence), "no-sign" (compared with a yardstick, nothing found),
            "no-yardstick" (held-out images cannot say how close honest images come), or "open"
            (nothing to compare with, or not enough images).
        sentence: the finding, for a reader who sees nothing else.
        reasons: the evidence, and what else must be known, a sentence each.
        comparable: whether honest images say how close is too close; without that, p- and q-values
            mean nothing, and only exact copies and left-out training images accuse.
        basis: all that "copying" rests on: "flags" (single images are flagged), "share" (more
            images than chance allows are closer than held-out ones ever are), "exact" (exact
            copies), "left-out" (more images than chance allows are closer to training images than
            these are to each other, each left out in turn: which ones are copies cannot be told
            one by one). Empty under every other label.
    """

    label: Label
    sentence: str
    reasons: tuple[str, ...] = ()
    comparable: bool = True
    basis: tuple[Basis, ...] = ()

    @property
    def tells_share(self) -> bool:
        """Whether the data can tell how large the share of copies is."""
        return self.comparable and self.label != "open"

    def to_dict(self) -> dict[str, Json]:
        """The verdict as plain JSON."""
        return to_json(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """Whether held-out images say how close honest images come to the training images.

    Attributes:
        holds: nothing speaks against it.
        reasons: what speaks against it, a sentence each; empty where it holds.
        notes: what a reader must know although it does not speak against it.
        failing, noted: what each reason and each note is about: "two_sample", "file_properties",
            "series", "farther", "repeats" or "test_series".
        checks: the result of each check by its name: "two_sample", "file_properties", "series";
            with the space's name ("series in pixels@64") where there are several. Each has
            `to_dict`. Checks that the inputs do not allow are missing.
    """

    holds: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    checks: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """The yardstick as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class InputSummary:
    """One of the compared sets.

    Attributes:
        source: the last part of the input (`train.zip`), never a full path.
        kind: "images", "features" or "statistics" (mean and covariance, no rows).
        count: rows used; None where statistics do not say.
        digest: hex content hash of the rows in order, or of the statistics.
        skipped: ids of broken images left out at the user's request.
    """

    source: str
    kind: str
    count: int | None
    digest: str
    skipped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The summary as plain JSON."""
        return to_json(asdict(self))


@dataclass(frozen=True, kw_only=True, repr=False)
class Pair:
    """A generated image and its nearest training image.

    Attributes:
        generated_id, train_id: the images' ids in their sources.
        distance: the distance between them, in the space and metric of the score.
        generated_png, train_png: the two images as PNG bytes; None if the inputs were features.
    """

    generated_id: str
    train_id: str
    distance: float
    generated_png: bytes | None = None
    train_png: bytes | None = None

    def __repr__(self) -> str:
        names = f"{printable(self.generated_id)} nearest to {printable(self.train_id)}"
        return f"<pair: {names}, distance {number(self.distance)}>"

    def to_dict(self) -> dict[str, Json]:
        """The pair as plain JSON, without the images."""
        return to_json(
            {
                "generated": self.generated_id,
                "train": self.train_id,
                "distance": self.distance,
            }
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Score(Mapping[str, Result]):
    """The result of `genmem.score`: a mapping of the metrics' names to their results.

    `score["fd"]`, `"fd" in score`, `list(score)`, `score.items()`; two scores are equal where the
    values of their metrics are. A notebook shows it as a table with pictures.

    Attributes:
        metrics: results by their JSON names, in reading order.
        inputs: by role: "generated", "train" and, if given, "test".
        backbone: name, dimension, preprocessing, weights hash, engine; JSON values.
        provenance: genmem's and its libraries' versions, seed, date; JSON values.
        seconds: wall-clock seconds per stage, and "total".
        nearest: cosine distance to the nearest training row, float64 [n], by role
            ("generated", "test").
        closest: the closest generated/training pairs, nearest first.
        notes: sentences about the whole comparison (the two sets are the same, …).
        verdict: what the metrics of copying say together; None where nobody asked.
        yardstick: whether the held-out images can be compared with; None without them.
        repeats: training images that are equal to another one, and how many were looked at; None
            where that was not needed.
        spaces: of several backbones, a score by backbone, all with the one verdict; in JSON
            without what is the same in all. `metrics` then holds what is of all spaces, and
            `backbone` the "names". Empty where there is one backbone.
        left_out: why a metric is not there, a sentence by its name.
        aliases: other names of metrics that are there ("kid": "kd"), which indexing takes too.
    """

    metrics: Mapping[str, Result]
    inputs: Mapping[str, InputSummary]
    backbone: Mapping[str, Json]
    provenance: Mapping[str, Json]
    seconds: Mapping[str, float]
    nearest: Mapping[str, NDArray[np.float64]]
    closest: tuple[Pair, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict | None = None
    yardstick: Yardstick | None = None
    repeats: tuple[int, int] | None = None
    spaces: Mapping[str, Score] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Result:
        name = self.aliases.get(name, name)
        if name in self.metrics:
            return self.metrics[name]
        if name in self.left_out:
            raise NotComputedError(self.left_out[name])
        if within := [space for space, one in self.spaces.items() if name in one]:
            raise NotComputedError(
                f"{name} was computed in each feature space: take score.spaces[{within[0]!r}]"
                f"[{name!r}]. Spaces: {', '.join(map(printable, self.spaces))}."
            )
        known = ", ".join(self.metrics) or "no metric"
        unknown = [*self.metrics, *self.left_out, *self.aliases]
        similar = did_you_mean(name, unknown) if isinstance(name, str) else ""
        hint = f" {similar[0].upper()}{similar[1:]}" if similar.endswith("?") else ""
        raise NotComputedError(f"this score has no metric {name!r}.{hint} It has {known}.")

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        inputs = {role: printable(one.source) for role, one in self.inputs.items()}
        against = f"{inputs.get('generated', '?')} against {inputs.get('train', '?')}"
        names = [*self.spaces] or [str(self.backbone.get("name", "features"))]
        lines = [f"Score of {against}, in {', '.join(map(printable, names))}"]
        if self.verdict is not None:
            lines.append(self.verdict.sentence)
        lines += _lines([f"{name} {_with_interval(result)}" for name, result in self.items()])
        for space, score in self.spaces.items():
            values = [f"{name} {_with_interval(result)}" for name, result in score.items()]
            lines += _lines([f"{printable(space)}: {values[0]}", *values[1:]] if values else [])
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return presenter("score").html(self)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each metric.

        Columns: `value`, `low` and `high` (the ends of the interval, NaN where there is none),
        `better`, `unit`, and the rows that were used of each set (`n_generated`, …).

        Raises:
            UsageError: pandas is not installed.
        """
        return presenter("score").frame(self)

    def plot(self) -> Figure:
        """A figure with `plot_distances` and, below it, `plot_pairs`."""
        return presenter("score").plot(self)

    def plot_distances(self, ax: Axes | None = None) -> Axes:
        """Draw histograms of the distances to the nearest training image.

        Args:
            ax: where to draw; None makes a figure of its own.

        Returns:
            The axes.

        Raises:
            UsageError: the training set is statistics, so that there are no distances.
        """
        return presenter("score").plot_distances(self, ax)

    def plot_pairs(self, ax: Axes | None = None, count: int = 8) -> Axes:
        """Draw the closest generated images above their nearest training images.

        Args:
            ax: where to draw; None makes a figure of its own.
            count: pairs, at most.

        Returns:
            The axes.

        Raises:
            UsageError: there are no pictures, as where features were given.
        """
        return presenter("score").plot_pairs(self, ax, count)

    def save(self, path: str | Path) -> None:
        """Write a folder that `Score.load` reads, whole or not at all.

        It holds `score.json` (`to_dict`), `distances.npz`, the pairs' pictures and `report.html`.

        Args:
            path: the folder, created if missing. An earlier score in it is replaced.

        Raises:
            UsageError: it cannot be written, or holds other files.
        """
        presenter("saved_score").save(self, path)

    def log(self, tracker: Any, *, step: int | None = None, prefix: str = "genmem/") -> None:
        """Send the metrics' values to a tracker of experiments, for curves over a training.

        Args:
            tracker: a SummaryWriter of TensorBoard, a run of wandb, the module mlflow or trackio, a
                logger of Lightning, or a function of (values by name, step).
            step: the step of the training; None where there is none.
            prefix: before each metric's name; of several feature spaces, the space follows it.

        Raises:
            UsageError: the tracker is none of these.
        """
        values = {name: float(result) for name, result in self.items()}
        for space, score in self.spaces.items():
            values |= {f"{space}/{name}": float(result) for name, result in score.items()}
        log_values({prefix + name: value for name, value in values.items()}, tracker, step=step)

    @staticmethod
    def load(path: str | Path) -> Score:
        """Read the folder that `save` wrote, or the JSON file of `genmem score --json`.

        Nothing in it is executed or unpickled. A JSON file has no distances and no pictures.

        Args:
            path: the folder, or the JSON file.

        Raises:
            InputError: there is no such score, or it is damaged.
        """
        return presenter("saved_score").load(path)

    def to_dict(self) -> dict[str, Json]:
        """The object that `--json` prints."""
        of_all = ("verdict", "yardstick", "inputs", "provenance")
        spaces = {
            name: {key: value for key, value in score.to_dict().items() if key not in of_all}
            for name, score in self.spaces.items()
        }
        return to_json(
            {
                "verdict": self.verdict,
                "yardstick": self.yardstick,
                "metrics": self.metrics,
                **({"spaces": spaces} if spaces else {}),
                "inputs": self.inputs,
                "backbone": self.backbone,
                "closest": self.closest,
                "notes": self.notes,
                "left_out": self.left_out,
                "provenance": self.provenance,
                "seconds": self.seconds,
            }
        )


def _with_interval(result: Result) -> str:
    """`12.35 (95 %: 11.9 to 12.8)`; without an interval the value alone."""
    interval = result.interval
    if interval is None:
        return number(result)
    ends = f"{number(float(f'{interval.low:.3g}'))} to {number(float(f'{interval.high:.3g}'))}"
    return f"{number(result)} ({percent(interval.level)}: {ends})"


def _sizes(rows: Mapping[str, int]) -> str:
    """`10,000 generated and 50,000 train rows`."""
    sets = [f"{size:,} {role}" for role, size in rows.items()]
    return " and ".join(sets) + " rows" if sets else count(0, "row")


def _lines(texts: list[str], width: int = 100) -> list[str]:
    """Texts side by side, as many on a line as fit."""
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + len(text) + 3 > width:
            lines.append("")
        lines[-1] += f" · {text}" if lines[-1] else text
    return [line for line in lines if line]
