"""The metrics by name: genmem's own, of `built_in.py`, and those of installed plugins.

Scoring, the command line and the report know a metric by its entry alone. Other packages add
entries by Python entry points of the group `genmem.metrics`: docs/extending.md has an example, and
names every place to edit for a metric of this package. Importing this module loads no numerical
library.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from genmem.errors import UsageError
from genmem.metrics.built_in import BUILT_IN as BUILT_IN
from genmem.metrics.metric import Metric as Metric
from genmem.metrics.metric import by_keyword as by_keyword

LARGEST_SEED = 2**32 - 1
"""The largest seed that NumPy's legacy generator takes, which draws the subsets of KID."""


def metrics() -> dict[str, Metric]:
    """All metrics by name, in reading order: genmem's own, then those of installed plugins.

    Raises:
        UsageError: a plugin cannot be used.
    """
    from genmem.plugins import extend

    return extend(BUILT_IN, group="genmem.metrics", kind=Metric)


def metric_needs(name: str) -> frozenset[str]:
    """What must be there for a metric: its own needs, and those of the metrics that it takes.

    Args:
        name: a name in `metrics()`.
    """
    known = metrics()
    metric = known[name]
    taken = [other for other in metric.inputs.values() if other in known]
    return frozenset(metric.needs).union(*map(metric_needs, taken))


def metric_names(names: Sequence[str] | None) -> tuple[str, ...]:
    """The metrics' own names, in reading order.

    Args:
        names: names or aliases, in upper or lower case; None for those of `by_default`.

    Raises:
        UsageError: a name is unknown, or there is none.
    """
    known = metrics()
    if names is None:
        return tuple(name for name, metric in known.items() if metric.by_default)
    if isinstance(names, str):
        raise UsageError(f"metrics: expected a list of names, got the text {names!r}.")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"metrics: expected a list of names, got {str(names)[:60]}.")
    if not names:
        raise UsageError(f"metrics: expected at least one of {', '.join(known)}, got none.")
    by_alias = {alias: metric.name for metric in known.values() for alias in metric.aliases}
    wanted = set()
    for name in names:
        own_name = by_alias.get(name.lower(), name.lower())
        if own_name not in known:
            raise UsageError(f"unknown metric {name!r}; expected some of {', '.join(known)}.")
        wanted.add(own_name)
    return tuple(name for name in known if name in wanted)


def resolve(reference: str | Callable[..., Any]) -> Callable[..., Any]:
    """The function that an entry names as "module:function", or the function itself."""
    if not isinstance(reference, str):
        return reference
    module, _, function = reference.partition(":")
    return getattr(importlib.import_module(module), function)
