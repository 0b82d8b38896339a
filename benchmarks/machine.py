"""A description of the machine without host name or path."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

_LIBRARIES = (
    "genmem",
    "numpy",
    "scipy",
    "torch",
    "torchvision",
    "onnxruntime",
    "pillow",
    "torch-fidelity",
    "torchmetrics",
    "pytorch-fid",
    "clean-fid",
)


def describe() -> dict[str, str]:
    """The facts that a reader needs to interpret the numbers, by heading."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "Date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "CPU": f"{_cpu_model()}, {cores} cores usable, {torch.backends.cpu.get_cpu_capability()}",
        "Memory": _memory(),
        "System": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "BLAS": _blas(torch.backends.mkl.is_available()),
        "Versions": ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES),
        "Load before the run": _load(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "unknown"
    return f"{total / 2**30:.0f} GiB"


def _blas(torch_has_mkl: bool) -> str:
    """The BLAS of NumPy and of torch, with their threads."""
    import numpy  # noqa: F401  (threadpoolctl sees libraries that are loaded)
    import torch

    libraries = sorted(
        {
            f"{pool['internal_api']} {pool['version']} ({pool['num_threads']} threads)"
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
    )
    mkl = "MKL" if torch_has_mkl else "no MKL"
    return f"{', '.join(libraries)}; torch with {mkl} ({torch.get_num_threads()} threads)"


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.1f} (1-minute average; 0 is an idle machine)"
    except OSError:
        return "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
