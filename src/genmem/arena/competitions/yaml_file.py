"""Create a competition from a YAML file: `genmem arena create DIR competition.yaml`.

The keys are the fields of `Competition` (title, slug, rules or rules_file, opens_at, closes_at,
merge_until, image_count, …), `time_zone` for dates without one, and `public` and `private`, each
with the fields of `Split`. Paths are relative to the file. Sizes and times may have units:
500 MB, 9 h.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction
from django.forms import BaseForm

from genmem.arena.competitions.forms import CompetitionForm, SplitForm, default_of
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.competitions.setup import save_competition, save_split
from genmem.errors import InputError, os_reason
from genmem.formatting import did_you_mean
from genmem.io.paths import refuse_empty

_YAML_ONLY = ("time_zone", "rules_file", "public", "private")
_DATES = ("opens_at", "closes_at", "merge_until")
_DEFAULTS = {"accepts_images": True, "image_formats": ["png"], "time_zone": "UTC"}


def create_from_yaml(path: Path) -> Competition:
    """Create the competition that a file describes, with both splits, in one transaction.

    Raises:
        InputError: the file cannot be read, or a key is unknown, missing or invalid.
    """
    values = _read(path)
    splits = {kind: values.pop(kind, None) for kind in ("public", "private")}
    form = CompetitionForm(data=_competition_data(path, values))
    _refuse_errors(path, form, "")
    split_forms = {}
    for kind, split in splits.items():
        if split is None:
            raise InputError(
                f"{path}: {kind}: is missing; give at least its backbone and its training images "
                "(train)"
            )
        if not isinstance(split, dict):
            raise InputError(f"{path}: {kind}: expected keys such as backbone: and train:")
        _refuse_unknown(path, split, SplitForm.Meta.fields, f"{kind}.")
        split_forms[kind] = SplitForm(
            data=_split_data(split, f"{path}: {kind}"), base=path.resolve().parent
        )
        _refuse_errors(path, split_forms[kind], f"{kind}.")
    with transaction.atomic():
        competition = save_competition(form, actor=None)
        for kind, split_form in split_forms.items():
            save_split(split_form, competition, kind, actor=None)
    return competition


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_reason(error)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected YAML, got: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys such as title: and closes_at:")
    _refuse_unknown(path, values, (*CompetitionForm.Meta.fields, *_YAML_ONLY), "")
    return values


def _competition_data(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name in CompetitionForm.Meta.fields:
        default = default_of(Competition, name)
        if default is not None:
            data[name] = default
    data |= _DEFAULTS | values
    for name in _DATES:
        data[name] = _date(path, name, values.get(name), zoned="time_zone" in values)
    if "merge_until" not in values:
        data["merge_until"] = data["closes_at"]
    rules = data.pop("rules_file", None)
    if rules is not None:
        refuse_empty(rules, name=f"{path}: rules_file")
        try:
            data["rules"] = (path.parent / str(rules)).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: rules_file: {rules} cannot be read as text") from error
    if isinstance(data["image_formats"], str):
        data["image_formats"] = [data["image_formats"]]
    return data


def _date(path: Path, name: str, value: object, *, zoned: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return str(value)
    if not isinstance(value, datetime):
        return str(value)
    if value.tzinfo is None and not zoned:
        raise InputError(
            f"{path}: {name}: has no time zone; write 2026-11-30T23:59:00+01:00, or add "
            "time_zone: Europe/Berlin"
        )
    return value.isoformat()


def _split_data(values: dict[str, Any], where: str) -> dict[str, Any]:
    for name, value in values.items():
        refuse_empty(value, name=f"{where}.{name}")
    defaults = {name: default_of(Split, name) for name in ("tau", "epsilon")}
    return defaults | {name: "" if value is None else value for name, value in values.items()}


def _refuse_unknown(
    path: Path, values: dict[str, Any], known: tuple[str, ...], before: str
) -> None:
    for name in values:
        if name not in known:
            hint = did_you_mean(str(name), known)
            raise InputError(f"{path}: there is no key {before}{name}; {hint}")


def _refuse_errors(path: Path, form: BaseForm, before: str) -> None:
    for name, errors in form.errors.items():
        text = " ".join(str(error) for error in errors)
        is_missing = "This field is required." in text
        raise InputError(f"{path}: {before}{name}: {'is missing' if is_missing else text}")
