"""genmem measures, ranks and reduces training-sample memorization in generative image models.

All public names are here; the metrics' come from their registry. Each is imported at first use, so
that `import genmem` is fast and loads neither torch nor a web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genmem.forks import prepare_forks

if TYPE_CHECKING:
    __all__: list[str]
    __version__: str

    from genmem.auditing import Audit as Audit
    from genmem.auditing import audit as audit
    from genmem.comparison import Comparison as Comparison
    from genmem.comparison import compare as compare
    from genmem.deduplication import duplicates as duplicates
    from genmem.errors import GenmemError as GenmemError
    from genmem.errors import InputError as InputError
    from genmem.errors import NotComputedError as NotComputedError
    from genmem.errors import UsageError as UsageError
    from genmem.errors import WeightsError as WeightsError
    from genmem.features import backbones as backbones
    from genmem.features import custom_backbone as custom_backbone
    from genmem.features import extract as extract
    from genmem.features import load_backbone as load_backbone
    from genmem.features import load_features as load_features
    from genmem.features import load_statistics as load_statistics
    from genmem.features import torch_module as torch_module
    from genmem.images import open_images as open_images
    from genmem.images import sample_images as sample_images
    from genmem.metrics.built_in import *  # noqa: F403  # the functions of the metrics
    from genmem.metrics.memorization_distance import MemorizationDistance as MemorizationDistance
    from genmem.metrics.moments import Moments as Moments
    from genmem.neighbors import Nearest as Nearest
    from genmem.neighbors import NearestNeighbors as NearestNeighbors
    from genmem.neighbors import nearest as nearest
    from genmem.querying import Query as Query
    from genmem.querying import query as query
    from genmem.reference import Reference as Reference
    from genmem.reference import build_reference as build_reference
    from genmem.reference import open_reference as open_reference
    from genmem.report import write_report as write_report
    from genmem.report.audit.page import write_audit as write_audit
    from genmem.report.comparison.page import write_comparison as write_comparison
    from genmem.report.comparison.tables import comparison_latex as comparison_latex
    from genmem.report.comparison.tables import comparison_markdown as comparison_markdown
    from genmem.report.dossier.write import write_dossier as write_dossier
    from genmem.report.duplicates.page import write_duplicates as write_duplicates
    from genmem.report.query.page import write_query as write_query
    from genmem.results import InputSummary as InputSummary
    from genmem.results import Interval as Interval
    from genmem.results import Pair as Pair
    from genmem.results import Result as Result
    from genmem.results import Score as Score
    from genmem.scoring import RunningScore as RunningScore
    from genmem.scoring import score as score
    from genmem.set_statistics import Statistics as Statistics

_MODULES = {
    "genmem.auditing": ("Audit", "audit"),
    "genmem.comparison": ("Comparison", "compare"),
    "genmem.deduplication": ("duplicates",),
    "genmem.errors": (
        "GenmemError",
        "InputError",
        "NotComputedError",
        "UsageError",
        "WeightsError",
    ),
    "genmem.features": (
        "backbones",
        "custom_backbone",
        "extract",
        "load_backbone",
        "load_features",
        "load_statistics",
        "torch_module",
    ),
    "genmem.images": ("open_images", "sample_images"),
    "genmem.metrics.memorization_distance": ("MemorizationDistance",),
    "genmem.metrics.moments": ("Moments",),
    "genmem.neighbors": ("Nearest", "NearestNeighbors", "nearest"),
    "genmem.querying": ("Query", "query"),
    "genmem.reference": ("Reference", "build_reference", "open_reference"),
    "genmem.report": ("write_report",),
    "genmem.report.audit.page": ("write_audit",),
    "genmem.report.comparison.page": ("write_comparison",),
    "genmem.report.comparison.tables": ("comparison_latex", "comparison_markdown"),
    "genmem.report.dossier.write": ("write_dossier",),
    "genmem.report.duplicates.page": ("write_duplicates",),
    "genmem.report.query.page": ("write_query",),
    "genmem.results": ("InputSummary", "Interval", "Pair", "Result", "Score"),
    "genmem.scoring": ("RunningScore", "score"),
    "genmem.set_statistics": ("Statistics",),
}

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

prepare_forks()


def __getattr__(name: str) -> Any:
    """Import a public name at its first use; `__version__` is the installed version."""
    if name == "__version__":
        from importlib.metadata import version

        return version("genmem")
    if name == "__all__":
        return sorted(_modules())
    module = _MODULE_OF.get(name) or _modules().get(name)
    if module is None:
        raise AttributeError(f"module 'genmem' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def _modules() -> dict[str, str]:
    """The module of each public name; the names of metrics are those of their entries."""
    from genmem.metrics.built_in import BUILT_IN

    return {**_MODULE_OF, **{name: metric.module for name, metric in BUILT_IN.items()}}


def __dir__() -> list[str]:
    return [*sorted(_modules()), "__version__"]
