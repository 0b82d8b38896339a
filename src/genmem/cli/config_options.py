"""Command-line options made from a trainer's configuration: one for each field of its model.

    @train.command(cls=config_command("genmem.training.gan.config.GanConfig"))
    def gan(context: typer.Context, out: OutRun) -> None:
        config = build_config(GanConfig, given_options(context))

A field `batch_size` becomes `--batch-size`, with the field's type, description and default. Fields
of a model within the model become options too. The models are imported when a command's options
are needed for the first time, so that `genmem --help` need not wait for pydantic.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
import typer.core

from genmem.cli.options import HELP, SOURCE
from genmem.errors import UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from genmem.training.common.config import Config

    AnyConfig = TypeVar("AnyConfig", bound=Config)

_GIVEN = "genmem.config_options"
"""Where a command's context keeps the options that were given."""


def config_command(*models: str) -> type[typer.core.TyperCommand]:
    """The class of a command that has, beside its own options, those of configuration models.

    Args:
        models: their full names, as "genmem.training.gan.config.GanConfig".
    """

    class ConfigCommand(typer.core.TyperCommand):
        @property
        def params(self) -> list[Any]:
            """All options: the same list each time, since typer appends to it."""
            if not self._generated:
                self._generated = _fields([pkgutil.resolve_name(name) for name in models])
                self._params[:0] = _build_options(self._generated)
            return self._params

        @params.setter
        def params(  # pyright: ignore[reportIncompatibleVariableOverride]
            self, params: list[Any]
        ) -> None:
            self._params: list[Any] = params
            self._generated: dict[str, FieldInfo] = {}

        def invoke(self, ctx: Any) -> Any:
            options = {}
            for name, field in self._generated.items():
                value = ctx.params.pop(name)
                if value not in (None, ()):
                    options[name] = _parse(value, field, _flag(name, field))
            ctx.meta[_GIVEN] = options
            return super().invoke(ctx)

    return ConfigCommand


def given_options(context: typer.Context) -> dict[str, Any]:
    """The generated options that were given with a command, by field."""
    return context.meta[_GIVEN]


def build_config(
    model: type[AnyConfig], options: Mapping[str, Any], values: Mapping[str, Any] | None = None
) -> AnyConfig:
    """The configuration of the options over other values; errors name the options.

    Args:
        model: of the configuration.
        options: from `given_options`; those that are no fields of the model are ignored.
        values: from a file.

    Raises:
        UsageError: a value that cannot be.
    """
    own = {name: value for name, value in options.items() if name in model.model_fields}
    try:
        return model(**{**(values or {}), **own})
    except UsageError as error:
        name, colon, rest = str(error).partition(":")
        if name in own:
            flag = _flag(name, model.model_fields[name])
            raise UsageError(f"{flag}{colon}{rest}") from error
        raise


def option_names(model: type[Config]) -> set[str]:
    """The fields of a configuration that are options."""
    return set(_fields([model]))


def flag_of(field: str) -> str:
    """The option of a field: `--batch-size` of `batch_size`."""
    return f"--{field.replace('_', '-')}"


def _flag(name: str, field: FieldInfo) -> str:
    """The option of a field, which may name its flag itself (`--from` is no name in Python)."""
    return str(_extra(field).get("flag", flag_of(name)))


def options_table(models: Sequence[type[Config]]) -> str:
    """The options of some models as a table in Markdown, for the documentation."""
    lines = ["| option | default | |", "|---|---|---|"]
    for name, field in _fields(models).items():
        text, default = _help(name, field)
        value = default if default is not None else "required"
        lines.append(f"| `{_flag(name, field)}` | {value} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def _fields(models: Sequence[type[Config]]) -> dict[str, FieldInfo]:
    """The fields that are options, by name; those of a model within the model in its place."""
    return dict(field for model in models for field in _fields_of(model))


def _fields_of(model: type[Config]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner: Any = field.annotation
        if hasattr(inner, "model_fields"):
            yield from _fields_of(inner)
        elif _extra(field).get("option", True):
            yield name, field


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _build_options(fields: Mapping[str, FieldInfo]) -> list[Any]:
    """An option of typer for each field, None where it is not given."""

    def command(**options: Any) -> None:
        del options

    annotations: dict[str, Any] = {}
    for name, field in fields.items():
        kind, metavar = _command_line_type(field)
        text, default = _help(name, field)
        flag = _flag(name, field)
        if not _extra(field).get("own_help"):
            text = HELP.get(flag, text)
        if default is not None and not (kind is bool and field.default is False):
            text = f"{text} [default: {default}]"
        elif field.is_required():
            text = f"{text} [required here or in --config]"
        if kind is bool and field.default is not False:
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        option = typer.Option(flag, help=text, metavar=metavar, show_default=False)
        annotations[name] = Annotated[kind | None, option]
    command.__annotations__ = annotations
    command.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in annotations.items()
        ]
    )
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)


def _help(name: str, field: FieldInfo) -> tuple[str, str | None]:
    """The description of a field and its default in words; None where it has none."""
    words = re.match(r"(.*?)(?: \[default: (.*)\])?$", field.description or name, re.DOTALL)
    assert words is not None
    text, default = words[1], words[2]
    if _extra(field).get("source"):
        text = f"{text} A {SOURCE}."
    has_default = not field.is_required() and field.default is not None
    if default is None and has_default and not _extra(field).get("repeated"):
        default = _written(field.default)
    return text, default


def _written(value: Any) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _kind(field: FieldInfo) -> Any:
    """The type of a field without None."""
    kind: Any = field.annotation
    types = [member for member in get_args(kind) if member is not type(None)]
    if get_origin(kind) in (UnionType, *_UNIONS) and len(types) == 1:
        kind = types[0]
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


_UNIONS = (get_origin(int | None), get_origin(Literal["a"] | None))


def _command_line_type(field: FieldInfo) -> tuple[Any, str | None]:
    """The type of the option, and its metavar where that is not typer's own."""
    kind, metavar = _kind(field), _extra(field).get("metavar")
    if get_origin(kind) is tuple:
        return (list[str] if _extra(field).get("repeated") else str), metavar or "A,B,…"
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if all(isinstance(choice, str) for choice in choices):
            return kind, metavar
        return int, metavar or "|".join(map(str, choices))
    if kind in (int, float, bool):
        return kind, metavar
    return str, metavar or ("SOURCE" if _extra(field).get("source") else None)


def _parse(value: Any, field: FieldInfo, flag: str) -> Any:
    """The value of an option, of its field's type."""
    from genmem.cli.parsing import parse_names, parse_whole_numbers

    kind = _kind(field)
    if get_origin(kind) is tuple:
        if not isinstance(value, str):  # of an option that is repeated
            return tuple(value)
        if value == "none":
            return ()
        is_number = get_args(kind)[0] is int
        return (parse_whole_numbers if is_number else parse_names)(value, option=flag)
    if isinstance(value, str) and float in get_args(kind):  # a number or a word
        try:
            return float(value)
        except ValueError:
            return value
    return value
