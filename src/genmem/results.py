"""Frozen results that all layers share: a value with its interval, sample sizes and origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Json = Any
"""Anything `json.dumps` takes: numbers, strings, None, lists and string-keyed dicts of these."""


def to_json(value: object) -> Json:
    """Convert NumPy scalars and arrays, tuples, mappings and non-finite numbers to plain JSON.

    NaN and infinities, which JSON lacks, become None.
    """
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
    if hasattr(value, "to_dict"):
        return value.to_dict()  # pyright: ignore[reportAttributeAccessIssue]
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


@dataclass(frozen=True, kw_only=True)
class Result:
    """One metric's result. `float(result)` is its value; `result.parts` holds its components.

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

    def __float__(self) -> float:
        return self.value

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


@dataclass(frozen=True, kw_only=True)
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

    def to_dict(self) -> dict[str, Json]:
        """The pair as plain JSON, without the images."""
        return to_json(
            {
                "generated": self.generated_id,
                "train": self.train_id,
                "distance": self.distance,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """The result of `genmem.score`, from which the table, the JSON and the report are rendered.

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

    def __getitem__(self, name: str) -> Result:
        return self.metrics[name]

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
                "provenance": self.provenance,
                "seconds": self.seconds,
            }
        )
