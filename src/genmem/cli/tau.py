"""`--tau`: a number, or the file that `genmem calibrate --json FILE` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genmem.errors import InputError, UsageError
from genmem.results import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "genmem calibration"
"""What the file says it is."""

FEATURES = "features"
"""The space of sets that were given as features."""


def read_tau(text: str | None) -> float | Mapping[str, float] | None:
    """The threshold as a number, or by feature space where `text` names a calibration file.

    Raises:
        UsageError: `text` is neither a number nor a file.
        InputError: the file is not one that `genmem calibrate` wrote.
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
        document: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise InputError(
            f"--tau {text}: expected the JSON that `genmem calibrate --json FILE` writes; "
            "this is another file."
        )
    spaces = document.get("spaces")
    taus: dict[str, float] = {}
    for name, one in spaces.items() if isinstance(spaces, dict) else ():
        tau = one.get("tau") if isinstance(one, dict) else None
        if isinstance(tau, bool) or not isinstance(tau, int | float):
            raise InputError(f"--tau {text}: expected a number as τ of {name}; calibrate again.")
        taus[name] = float(tau)
    if not taus:
        raise InputError(f"--tau {text}: it holds no feature space; calibrate again.")
    return taus


def tau_for(
    tau: float | Mapping[str, float] | None, *, backbone: str, sources: Sequence[str]
) -> float | None:
    """The threshold that belongs to the feature space the sets will be compared in.

    Args:
        tau: from `read_tau`.
        backbone: the backbone that was asked for; for sets given as features a calibration on
            features goes first.
        sources: the sets, as given.

    Raises:
        UsageError: the calibration holds no threshold for that space.
    """
    if tau is None or isinstance(tau, int | float):
        return tau
    from genmem.features import find_backbone, is_feature_source

    wanted = [find_backbone(backbone).name]
    if all(is_feature_source(source) for source in sources):
        wanted.insert(0, FEATURES)
    for space in wanted:
        if space in tau:
            return tau[space]
    raise UsageError(
        f"--tau: the calibration is for {', '.join(tau)}, and a threshold holds in its own feature "
        f"space only, not in {wanted[0]}; calibrate with --backbone {wanted[-1]}, or name a "
        f"table's column so: --distance {wanted[-1]}=COLUMN."
    )
