"""What a number needs beside it to be made again: versions, machine, seed, date."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version

from genmem.results import Json

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


def provenance(*, seed: int) -> dict[str, Json]:
    """Versions, platform, seed and time of now; no host name, no user, no path."""
    return {
        "versions": {name: _version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
