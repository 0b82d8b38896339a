"""`--tau` of `genmem score`: a number, or the file that `genmem calibrate --json FILE` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from genmem.errors import InputError, UsageError
from genmem.results import Json

KIND = "genmem calibration"
"""The value of "kind" in the file."""

FEATURES = "features"
"""The space of sets that were given as features."""


def read_tau(text: str | None) -> float | Mapping[str, float] | None:
    """The threshold as a number, or by feature space if `text` names a calibration file.

    Raises:
        UsageError: `text` is neither a number nor a file.
        InputError: the file was not written by `genmem calibrate`.
    """
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"Invalid value for '--tau': expected a number or a file that `genmem calibrate "
            f"--json FILE` wrote, got {text!r}."
        )
    try:
        document: Json = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise InputError(
            f"--tau {text}: expected the JSON that `genmem calibrate --json FILE` writes; "
            "this is another file."
        )
    spaces = document.get("spaces")
    taus: dict[str, float] = {}
    for name, space in spaces.items() if isinstance(spaces, dict) else ():
        tau = space.get("tau") if isinstance(space, dict) else None
        if isinstance(tau, bool) or not isinstance(tau, int | float):
            raise InputError(f"--tau {text}: expected a number as τ of {name}; calibrate again.")
        taus[name] = float(tau)
    if not taus:
        raise InputError(f"--tau {text}: it holds no feature space; calibrate again.")
    return taus


def taus_for(
    tau: float | Mapping[str, float] | None, *, backbones: Sequence[str], sources: Sequence[str]
) -> float | dict[str, float] | None:
    """The thresholds of one score: a number, or by backbone where there are several.

    Args:
        tau: from `read_tau`.
        backbones: the values of `--backbone`.
        sources: the sets.

    Raises:
        UsageError: the calibration has no threshold for any of them.
    """
    if len(backbones) == 1 or not isinstance(tau, Mapping):
        return tau_for(tau, backbone=backbones[0], sources=sources)
    from genmem.features import find_backbone

    names = [find_backbone(backbone).name for backbone in backbones]
    known = {name: tau[name] for name in names if name in tau}
    if not known:
        tau_for(tau, backbone=backbones[0], sources=sources)  # says what the file is for
    return known


def tau_for(
    tau: float | Mapping[str, float] | None, *, backbone: str, sources: Sequence[str]
) -> float | None:
    """The threshold for the feature space in which the sets are compared.

    Args:
        tau: from `read_tau`.
        backbone: the value of `--backbone`. If all sets are features, a calibration on features
            has priority.
        sources: the sets.

    Raises:
        UsageError: the calibration has no threshold for that space.
    """
    if tau is None or isinstance(tau, int | float):
        return tau
    from genmem.features import find_backbone, is_feature_source, is_statistics
    from genmem.reference import is_reference

    candidates = [backbone if backbone == FEATURES else find_backbone(backbone).name]
    if all(
        is_reference(source) or is_statistics(source) or is_feature_source(source)
        for source in sources
    ):
        candidates.insert(0, FEATURES)
    for space in candidates:
        if space in tau:
            return tau[space]
    raise UsageError(
        f"--tau: the calibration is for {', '.join(tau)}, and a threshold is valid only in its own "
        f"feature space, not in {candidates[0]}. Calibrate with --backbone {candidates[-1]}, or "
        f"name a column of a table: --distance {candidates[-1]}=COLUMN."
    )
