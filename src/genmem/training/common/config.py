"""Settings that come from files and from other code: of the type that their class names, or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from genmem.errors import UsageError


@cache
def kinds_of(settings: type) -> Mapping[str, Any]:
    """The types of a dataclass's fields by name."""
    hints = get_type_hints(settings)
    return {field.name: hints[field.name] for field in fields(settings)}


def check_kinds(settings: Any) -> None:
    """Raise UsageError unless every field of a frozen dataclass holds what its type says.

    A whole number for a float becomes one, so that settings of equal values are equal as JSON.
    """
    for name, kind in kinds_of(type(settings)).items():
        value = getattr(settings, name)
        check_kind(name, value, kind)
        if kind is float:
            object.__setattr__(settings, name, float(value))


def check_kind(name: str, value: Any, kind: Any) -> None:
    """Raise UsageError, with `name` in front, unless a value is of a type.

    Args:
        name: of the setting.
        value: what was given.
        kind: int, float (finite; whole numbers are some), bool, str, a class, a Literal, a tuple of
            any length of one of these, or one of these or None. Lists are no tuples.
    """
    if not _is(value, kind):
        expected = _words(kind)
        raise UsageError(f"{name}: expected {expected}, got {_short(value)}.")


def _is(value: Any, kind: Any) -> bool:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in arguments
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(one, arguments[0]) for one in value)
    if arguments:
        return any(value is None if one is type(None) else _is(value, one) for one in arguments)
    if isinstance(value, bool):
        return kind is bool
    if kind is int:
        return isinstance(value, Integral)
    if kind is float:
        return isinstance(value, Real) and _is_finite(value)
    return isinstance(value, kind)


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _words(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(arguments)}"
    if get_origin(kind) is tuple:
        return "a list of texts" if arguments[0] is str else "a list of whole numbers"
    if arguments:
        return " or ".join("none" if one is type(None) else _words(one) for one in arguments)
    known = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}
    return known.get(kind, getattr(kind, "__name__", str(kind)))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + " …"
