"""Where a result comes from: versions, platform, seed and time; no host name, no user, no path."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_LIBRARIES = (
    "genmem",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "timm",
    "torch-fidelity",
    "onnxruntime",
    "pillow",
)


def provenance(*, seed: int) -> dict[str, Any]:
    """Versions of genmem and its libraries, platform, seed and the present time, as plain JSON."""
    return {
        "versions": {name: _version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe_versions() -> str:
    """Versions of genmem, of Python and the system, and of the libraries that decide numbers."""
    known = {name: _version(name) for name in _LIBRARIES}
    own = known.pop("genmem") or "(not installed)"
    libraries = ", ".join(f"{name} {number or 'missing'}" for name, number in known.items())
    system = f"{platform.system()} {platform.machine()}"
    return f"genmem {own}\nPython {platform.python_version()}, {system}\n{libraries}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
