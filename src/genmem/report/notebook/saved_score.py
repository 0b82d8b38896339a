"""The folder of a score: written by `Score.save`, read by `Score.load`."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, os_reason
from genmem.io.paths import to_path
from genmem.io.result_folder import ResultKind, atomic_result_folder
from genmem.report.common.templates import write_results
from genmem.report.score.page import render
from genmem.results import InputSummary, Interval, Json, Pair, Result, Score, Verdict, Yardstick

SCORE = ResultKind(name="score", numbers="score.json", page="report.html", folders=("pairs",))
DISTANCES = "distances.npz"

_OF_ALL = ("verdict", "yardstick", "inputs", "provenance")
"""What the spaces of a score have in common, which its JSON holds once."""


def save(score: Score, path: str | Path) -> None:
    """`Score.save`."""
    with atomic_result_folder(path, SCORE) as new:
        arrays: dict[str, Any] = {}
        (new / "pairs").mkdir()
        for place, one in enumerate([score, *score.spaces.values()]):
            arrays |= {f"{place}_{role}": values for role, values in one.nearest.items()}
            for number, pair in enumerate(one.closest):
                for role, content in (("generated", pair.generated_png), ("train", pair.train_png)):
                    if content is not None:
                        _picture(new, place, number, role).write_bytes(content)
        np.savez_compressed(new / DISTANCES, **arrays)
        more = {"aliases": dict(score.aliases), "repeats": score.repeats}
        write_results(new, SCORE, {**score.to_dict(), **more}, render(score))


def load(path: str | Path) -> Score:
    """`Score.load`."""
    path = to_path(path, name="path")
    is_folder = path.is_dir()
    file = path / SCORE.numbers if is_folder else path
    try:
        document = json.loads(file.read_bytes())
        arrays = _distances(path / DISTANCES) if is_folder else {}
        score = _score(document, _Place(arrays, path if is_folder else None, 0))
        of_all = {name: document[name] for name in _OF_ALL}
        spaces = {
            name: _score({**of_all, **part}, _Place(arrays, path if is_folder else None, place))
            for place, (name, part) in enumerate(document.get("spaces", {}).items(), start=1)
        }
        return replace(score, spaces=spaces)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {os_reason(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file}: expected a score, as score.save or genmem score --json writes it; it is "
            f"damaged, or another file ({type(error).__name__})."
        ) from error


@dataclass(frozen=True)
class _Place:
    """Where the distances and pictures of one score are: its number among those of a folder."""

    arrays: Mapping[str, NDArray[np.float64]]
    folder: Path | None
    number: int

    def nearest(self) -> dict[str, NDArray[np.float64]]:
        """The distances by role."""
        start = f"{self.number}_"
        return {
            name.removeprefix(start): values
            for name, values in self.arrays.items()
            if name.startswith(start)
        }

    def picture(self, number: int, role: str) -> bytes | None:
        """A picture of a pair; None without one."""
        if self.folder is None:
            return None
        path = _picture(self.folder, self.number, number, role)
        return path.read_bytes() if path.is_file() else None


def _score(document: Mapping[str, Json], place: _Place) -> Score:
    """The score that `Score.to_dict` wrote, with what lies beside it."""
    verdict, yardstick = document["verdict"], document["yardstick"]
    return Score(
        metrics={name: _result(name, item) for name, item in document["metrics"].items()},
        inputs={
            role: _adapter(InputSummary).validate_python(item)
            for role, item in document["inputs"].items()
        },
        backbone=document["backbone"],
        provenance=document["provenance"],
        seconds={name: float(value) for name, value in document["seconds"].items()},
        nearest=place.nearest(),
        closest=tuple(
            _pair(item, number, place) for number, item in enumerate(document["closest"])
        ),
        notes=tuple(map(str, document["notes"])),
        verdict=None if verdict is None else _adapter(Verdict).validate_python(verdict),
        yardstick=None if yardstick is None else _adapter(Yardstick).validate_python(yardstick),
        repeats=_repeats(document.get("repeats")),
        left_out={name: str(why) for name, why in document.get("left_out", {}).items()},
        aliases={name: str(own) for name, own in document.get("aliases", {}).items()},
    )


def _result(name: str, document: Mapping[str, Json]) -> Result:
    interval = document.get("interval")
    return Result(
        name=name,
        value=_number(document["value"]),
        n={role: int(size) for role, size in document["n"].items()},
        parts=document.get("parts", {}),
        interval=None if interval is None else _adapter(Interval).validate_python(interval),
        seed=document.get("seed"),
        notes=tuple(map(str, document.get("notes", ()))),
    )


def _pair(document: Mapping[str, Json], number: int, place: _Place) -> Pair:
    return Pair(
        generated_id=str(document["generated"]),
        train_id=str(document["train"]),
        distance=_number(document["distance"]),
        generated_png=place.picture(number, "generated"),
        train_png=place.picture(number, "train"),
    )


def _repeats(value: Json) -> tuple[int, int] | None:
    if value is None:
        return None
    first, second = value
    return int(first), int(second)


def _number(value: Json) -> float:
    """A number; NaN where JSON has null."""
    return math.nan if value is None else float(value)


def _picture(folder: Path, place: int, number: int, role: str) -> Path:
    return folder / "pairs" / f"{place}_{number:02d}_{role}.png"


def _distances(path: Path) -> dict[str, NDArray[np.float64]]:
    with np.load(path, allow_pickle=False) as arrays:
        nearest = {role: arrays[role] for role in arrays.files}
    for role, distances in nearest.items():
        if distances.ndim != 1 or distances.dtype != np.float64:
            raise ValueError(f"{role}: no distances")
    return nearest


@cache
def _adapter(cls: type) -> Any:
    """What reads a dataclass of `genmem.results`; pydantic is imported at the first use."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)
