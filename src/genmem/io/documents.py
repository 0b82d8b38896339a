"""Frozen dataclasses that are stored as JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from genmem.errors import InputError, os_reason
from genmem.io.atomic import atomic_write
from genmem.results import Json


class Document:
    """Base of frozen dataclasses with a JSON form: fields by name, tuples as lists.

    Fields may be numbers, texts, paths, tuples, mappings, other dataclasses and pydantic models;
    `Annotated[float, Field(ge=0)]` bounds a number. Types and bounds are checked when a document is
    read, not when it is built.
    """

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON; `from_dict` takes it back."""
        return _adapter(type(self)).dump_python(self, mode="json")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The document that `to_dict` wrote.

        Raises:
            ValueError: a field is missing, or of another type or out of range.
        """
        return _adapter(cls).validate_python(document)

    def save(self, path: Path) -> None:
        """Write a JSON file, whole or not at all.

        Raises:
            UsageError: it cannot be written.
        """
        with atomic_write(path) as file:
            file.write((json.dumps(self.to_dict(), allow_nan=False) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: the file cannot be read, or is damaged.
        """
        from pydantic import ValidationError

        try:
            return _adapter(cls).validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {os_reason(error)}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"{path}: cannot be read ({name}: {first['msg']}).") from error


@cache
def _adapter(cls: type) -> Any:
    """What reads and writes a class; pydantic is imported at the first use."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)
