"""Configurations of trainers: pydantic models that explain their errors in one line.

One model per trainer is the only place where a setting gets its name, type, bounds, default and
description. The command's options, files for `--config`, a run's config.json and the table in the
documentation come from it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from genmem.errors import InputError, UsageError, os_reason
from genmem.metrics.registry import LARGEST_SEED

if TYPE_CHECKING:
    from genmem.results import Json

LARGEST_WIDTH = 2**16
"""Of a layer: far above what fits into memory, far below what overflows."""

LARGEST_NUMBER = 2**40
"""Of any whole number of a configuration."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""Seed of all random numbers."""

Precision = Literal["full", "bf16", "fp16"]
"""Of a network's products: float32, or mixed precision."""

Device = Literal["auto", "cpu", "cuda"]
"""Where to train: "auto" takes what accelerate finds."""

Names = Annotated[tuple[str, ...], Field(strict=False)]
"""Names; JSON has them as a list."""

Numbers = Annotated[tuple[int, ...], Field(strict=False)]
"""Whole numbers; JSON has them as a list."""

INTERNAL: Any = {"option": False}
"""For `Field(json_schema_extra=…)`: a setting without a command-line option."""


class Config(BaseModel):
    """A frozen configuration; a value that cannot be is a UsageError.

    Values must be of their field's type: "8" is no number, 8.5 and True are no whole numbers. A
    whole number stands for a float, a list for a tuple.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, str_min_length=1
    )

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Refuse whole numbers beyond any use, before a loop or torch meets them."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and number > LARGEST_NUMBER:
                    raise UsageError(
                        f"{name}: expected at most {LARGEST_NUMBER:,}, got {number:,}."
                    )
        return self

    def __init__(self, **values: Any) -> None:
        """Check the values.

        Raises:
            UsageError: an unknown name, a missing value, or one of another type or out of range.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UsageError(_message(error.errors(), type(self))) from None

    def replace(self, **changes: Any) -> Self:
        """The configuration with other values, checked again.

        Raises:
            UsageError: as the constructor.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**values | changes)

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON; the constructor takes it back."""
        return self.model_dump(mode="json")


class ImageSelection(Config):
    """Which images of a source a model is trained on, and how they are read.

    Of a draw (`limit`), smaller ones with the same seed are subsets of larger ones. Instead of an
    image that is left out another one is drawn.
    """

    train: str | None = Field(
        default=None, description="Training images.", json_schema_extra={"source": True}
    )
    size: int | None = Field(
        default=None,
        ge=1,
        description="Side in pixels to resize the images to. [default: as they are]",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Train on this many images, drawn by the seed. [default: all]",
    )
    seed: Seed = Field(
        default=0, json_schema_extra=INTERNAL, description="Random seed of the draw."
    )
    classes: bool = Field(
        default=False, json_schema_extra=INTERNAL, description="Read the class of each image."
    )
    only: Names = Field(default=(), description="Use only images of these classes. [default: all]")
    drop_duplicates: bool = Field(
        default=False, description="Leave out images that repeat another."
    )
    skip_broken: bool = Field(default=False, description="Leave out unreadable images.")


def read_config(path: Path) -> dict[str, Any]:
    """The values of a configuration file by name.

    Args:
        path: a JSON file in UTF-8, as the config.json of a run; editors may put a byte-order mark
            before it.

    Raises:
        InputError: it cannot be read, or is not a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected an object of settings by name.")
    return values


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a finite number",
    "float_parsing": "a finite number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "tuple_type": "a list",
    "too_long": "at most {max_length} values",
    "model_type": "an object of settings by name",
    "greater_than_equal": "at least {ge:,}",
    "less_than_equal": "at most {le:,}",
    "greater_than": "a number above {gt:,}",
    "less_than": "a number below {lt:,}",
    "multiple_of": "a multiple of {multiple_of}",
}
"""What was expected, by pydantic's name of the error; braces take a value of its context."""


def _message(errors: Sequence[ErrorDetails], config: type[Config]) -> str:
    """One of pydantic's errors as one line; an unknown name first, since it may be misspelt."""
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    error = (unknown or errors)[0]
    name, kind = ".".join(map(str, error["loc"])), error["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, config.model_fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; {config.__name__} lists all settings."
        return f"there is no setting {name!r}{hint}"
    if kind == "missing":
        return f"{name}: missing. Give --{name.replace('_', '-')}, or set it in --config."
    context = error.get("ctx", {})
    if kind == "literal_error":
        expected = f"one of {context['expected'].replace(' or ', ', ').replace(chr(39), '')}"
    else:
        expected = _EXPECTED.get(kind, "").format(**context) or error["msg"]
    value = error["input"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:,}" if number else repr(value)
    return f"{name}: expected {expected}, got {text if len(text) <= 60 else text[:60] + ' …'}."
