"""Registry entries that other installed packages add by Python entry points.

A package adds, for example, a metric by an entry point in its pyproject.toml:

    [project.entry-points."genmem.metrics"]
    my_metric = "my_package.metrics:MY_METRIC"

The groups are `genmem.backbones`, `genmem.metrics`, `genmem.image_sources` and `genmem.cheats`.
The object of an entry point is an entry of that registry: see the `registry.py` of `features`,
`metrics`, `images` and `cheats`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from genmem.errors import UsageError

Entry = TypeVar("Entry")


@cache
def load(group: str) -> Mapping[str, object]:
    """Import what installed packages add to a registry, once a process.

    Args:
        group: the entry points' group, such as "genmem.metrics".

    Returns:
        The objects by the names of their entry points, in alphabetical order.

    Raises:
        UsageError: a plugin cannot be imported, or two packages use one name.
    """
    objects: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if point.name in objects:
            raise UsageError(
                f"{describe(point)}: another package adds {point.name!r} to {group} too. Uninstall "
                "one of them."
            )
        try:
            objects[point.name] = point.load()
        # A plugin is somebody else's code and may fail in any way.
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UsageError(
                f"{describe(point)} cannot be loaded ({reason}). Update or uninstall that package."
            ) from error
    return objects


def extend(entries: Mapping[str, Entry], *, group: str, kind: type[Entry]) -> dict[str, Entry]:
    """The entries of a registry, followed by those that installed packages add.

    Args:
        entries: genmem's own entries by name.
        group: the entry points' group, such as "genmem.metrics".
        kind: the class that every entry must have.

    Raises:
        UsageError: a plugin cannot be imported, is of another class, or uses a name that is taken.
    """
    merged = dict(entries)
    for name, entry in load(group).items():
        plugin = f"plugin {name!r} of {group}"
        if not isinstance(entry, kind):
            raise UsageError(
                f"{plugin}: expected a {kind.__module__}.{kind.__qualname__}, got "
                f"{type(entry).__name__}. Update or uninstall the package that adds it."
            )
        if getattr(entry, "name", name) != name:
            raise UsageError(
                f"{plugin}: its entry is named {getattr(entry, 'name', None)!r}. The entry point "
                "and the entry must have one name."
            )
        if name in merged:
            raise UsageError(
                f"{plugin}: genmem has a {name!r} of its own. The package that adds it must choose "
                "another name."
            )
        merged[name] = entry
    return merged


def describe(point: EntryPoint) -> str:
    """An entry point and the package that has it, to begin an error message with."""
    package = f" from the package {point.dist.name}" if point.dist else ""
    return f"plugin {point.name!r} of {point.group}{package}"
