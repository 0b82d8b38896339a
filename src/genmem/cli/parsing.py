"""Parsers of option values: `A,B,C`, backbones, `NAME=VALUE`, τ, and labels of entries."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genmem.errors import UsageError
from genmem.formatting import without_folders

if TYPE_CHECKING:
    import typer

    from genmem.calibration import Labels
    from genmem.features import Backbone


def split_names(text: str) -> tuple[str, ...]:
    """`a, b,c` as three names; blanks between commas are ignored."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def parse_names(text: str, *, option: str) -> tuple[str, ...]:
    """`a, b` as two names.

    Raises:
        UsageError: there is none; the option is named.
    """
    names = split_names(text)
    if not names:
        raise UsageError(f"{option}: expected names, A,B,…, got {text!r}.")
    return names


def parse_backbones(names: Sequence[str], preprocess: str | None) -> list[str | Backbone]:
    """The values of `--backbone`; `--preprocess` belongs to the network file among them.

    Args:
        names: at least one.
        preprocess: the value of `--preprocess`.

    Raises:
        UsageError: `--preprocess` is given, and there is no file or more than one.
    """
    if preprocess is None:
        return list(names)
    from genmem.features import custom_backbone
    from genmem.features.custom_models import SUFFIXES

    files = [name for name in names if Path(name).suffix in SUFFIXES]
    if len(files) != 1:
        raise UsageError(
            f"--preprocess belongs to one network file ({', '.join(SUFFIXES)}), and --backbone "
            f"names {'several' if files else 'none'}: {', '.join(names)}."
        )
    return [
        custom_backbone(name, preprocess=preprocess) if name in files else name for name in names
    ]


def recorded_command(context: typer.Context) -> str:
    """The command that runs, as a result's record of it: absolute paths lose their folders.

    Args:
        context: of the command; options with their default value are left out.
    """
    words = [context.command_path]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        is_option = parameter.opts[0].startswith("-")
        if value is None or (is_option and value == parameter.default):
            continue
        if isinstance(value, bool):
            words += (parameter.opts if value else parameter.secondary_opts)[:1]
            continue
        for item in value if isinstance(value, list | tuple) else (value,):
            text = shlex.quote(_recorded(str(item)))
            words += [parameter.opts[0], text] if is_option else [text]
    return " ".join(words)


def _recorded(text: str) -> str:
    """A value without folders; of a list between commas, each part."""
    if Path(text).is_absolute():
        return without_folders(text)
    return ",".join(without_folders(part) for part in text.split(","))


def parse_whole_numbers(text: str, *, option: str) -> tuple[int, ...]:
    """`4, 8,16` as three numbers of at most 18 digits.

    Raises:
        UsageError: there is none, or something else; the option is named.
    """
    parts = split_names(text)
    if not parts or not all(part.isdecimal() and len(part) <= 18 for part in parts):
        raise UsageError(f"{option}: expected whole numbers, A,B,…, got {text!r}.")
    return tuple(int(part) for part in parts)


def split_pairs(texts: Sequence[str], *, option: str, form: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary, split at the first `=`.

    Args:
        texts: the values of a repeated option.
        option: its flag, for errors.
        form: the expected form, for errors: "NAME=T".

    Raises:
        UsageError: a text has no `=`, a blank side, or a repeated name.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option}: expected {form}, got {text!r}.")
        if name in pairs:
            raise UsageError(f"{option}: {name} is given twice; give it once.")
        pairs[name] = value
    return pairs


def parse_labels(honest: str | None, cheating: str | None) -> Labels:
    """Labels from `--honest` and `--cheating`; None keeps the default."""
    from genmem.calibration import Labels

    default = Labels()
    return Labels(
        honest=default.honest if honest is None else split_names(honest),
        cheating=default.cheating if cheating is None else split_names(cheating),
    )


def parse_tau(text: str, *, option: str = "--tau") -> float:
    """A threshold as a number.

    Raises:
        UsageError: it is not a number in (0, 1].
    """
    try:
        tau = float(text)
    except ValueError:
        tau = float("nan")
    if not 0 < tau <= 1:
        raise UsageError(f"{option}: expected a distance in (0, 1], got {text!r}.")
    return tau
