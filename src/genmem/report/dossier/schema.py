"""What `audit.json` must hold for a dossier, and the checks of an audit's JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from genmem.errors import InputError
from genmem.results import Basis, Json, Label

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    """A part of `audit.json`: types are not converted, other keys are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Verdict(_Part):
    label: Label
    sentence: str
    reasons: list[str]
    comparable: bool = True
    basis: list[Basis] = []


class _Yardstick(_Part):
    holds: bool
    reasons: list[str]
    notes: list[str]


class _Input(_Part):
    source: str
    count: Count | None
    digest: str
    skipped: list[str]


class _Null(_Part):
    count: Count
    source: Literal["test", "train"]


class _Space(_Part):
    statistic: str
    null: _Null
    backbone: dict[str, Json]


class _Limits(_Part):
    low: float
    high: float


class _Interval(_Limits):
    level: Share


class _Estimate(_Part):
    value: float | None
    interval: _Interval | None = None
    notes: list[str] = []


class _Disguise(_Part):
    kind: str
    disguise: str
    planted: Count
    flagged: Count
    share: Share
    interval: _Limits


class _Power(_Part):
    copies: Count
    images: Count
    planted: Count
    flagged: Count
    share: Share
    sentence: str
    assumption: str = ""
    disguises: list[_Disguise]


class _Duplicates(_Part):
    between: str
    pairs: Count
    exact: Count
    same_picture: Count = 0
    examined: Count
    of: Count
    dropped: Count


class _Provenance(_Part):
    versions: dict[str, str | None] | None = None


class AuditNumbers(_Part):
    """The parts of `audit.json` that a dossier reads."""

    digest: str
    verdict: _Verdict
    yardstick: _Yardstick | None = None
    images: Count
    flagged: Count
    flagged_by_power_law: Count
    level: Annotated[float, Field(gt=0, lt=1)]
    min_p_value: Share
    min_copies_flagged: Count | None
    copied_training_images: Count
    copied_fraction: _Estimate | None
    spaces: Annotated[dict[str, _Space], Field(min_length=1)]
    augmentations: list[str]
    duplicates: list[_Duplicates]
    power: _Power | None = None
    inputs: dict[Literal["generated", "train", "test"], _Input]
    notes: list[str]
    provenance: _Provenance
    seconds: dict[str, Annotated[float, Field(ge=0)]]

    @model_validator(mode="after")
    def _agrees(self) -> AuditNumbers:
        for role in ("generated", "train"):
            if role not in self.inputs:
                raise ValueError(f"no {role} in inputs")
        if self.flagged > self.images:
            raise ValueError(f"{self.flagged:,} flagged of {self.images:,} images")
        return self


def check_json(expected: Any, document: Json, path: Path) -> Any:
    """A JSON document as the expected type.

    Args:
        expected: a pydantic model, a dataclass, or a container of these.
        document: as read from the file.
        path: the file, for the error.

    Raises:
        InputError: a key is missing, or a value has another type or is out of range.
    """
    try:
        return TypeAdapter(expected).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise InputError(
            f"{path} is damaged: {' '.join(message.split())[:200]}; run `genmem audit` again."
        ) from error
