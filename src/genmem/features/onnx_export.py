"""Export networks from torch to ONNX: once per weights file, checked, and kept in the cache.

An export is used only if its outputs on a fixed random batch equal torch's to TOLERANCE, and an
export from the cache only if its bytes have the hash that was recorded with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genmem.errors import UsageError
from genmem.features.cache import default_cache
from genmem.features.weights import sha256_of
from genmem.io.atomic import atomic_write
from genmem.io.paths import temporary_file_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from genmem.features.backbone import Backbone

EXPORT_VERSION = 1
"""Raise it when exported graphs change meaning: old exports are then no longer used."""

TOLERANCE = 1e-4
"""Largest difference from torch allowed, relative to the largest output."""

LARGEST_BYTES = 1_900_000_000
"""Weights beyond this do not fit into one ONNX file (2 GiB); such networks run in torch."""


def export_to_onnx(
    backbone: Backbone, weights: Path, sha256: str
) -> tuple[Path | bytes | None, str | None]:
    """Export a backbone's network to ONNX, or find its export in the cache.

    Args:
        backbone: its `network` builds the torch module.
        weights: the weights file.
        sha256: the file's hash, part of the cache key.

    Returns:
        The model (a path; bytes if the cache cannot be written), and None; or None and the reason
        why torch must run the network.
    """
    folder = default_cache() / "engines"
    key = hashlib.sha256(f"{EXPORT_VERSION} {backbone.name} {sha256}".encode()).hexdigest()[:32]
    model, note = folder / f"{backbone.name.replace(':', '-')}-{key}.onnx", folder / f"{key}.json"
    if _is_intact(model, note):
        return model, None
    if weights.stat().st_size > LARGEST_BYTES:
        return None, "run by torch: the network is too large for one ONNX file"
    with temporary_file_errors(), tempfile.TemporaryDirectory(prefix="genmem-export-") as scratch:
        exported = Path(scratch) / "model.onnx"
        from genmem.torch_settings import default_torch_settings

        with default_torch_settings():
            failure = _export(backbone, weights, exported)
        if failure is not None:
            return None, failure
        content = exported.read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(model) as file:
            file.write(content)
        with atomic_write(note) as file:
            file.write(json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode())
    except (OSError, UsageError):
        return content, None
    return model, None


def _is_intact(model: Path, note: Path) -> bool:
    """Whether the cached export exists and has the recorded hash."""
    try:
        expected = json.loads(note.read_bytes())["sha256"]
        return sha256_of(model) == expected
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter: its warnings are about torch's internals, not the user's network."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _example(backbone: Backbone, size: int) -> torch.Tensor:
    """A fixed batch of two preprocessed noise images."""
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(np.stack([backbone.preprocessing.apply(image) for image in noise]))


def _export(backbone: Backbone, weights: Path, path: Path) -> str | None:
    """Export the network to `path`; the reason if that fails or the export differs from torch."""
    import torch

    from genmem.features.onnx_engine import OnnxEngine

    if backbone.network is None or backbone.input_size is None:
        return "run by torch: the network has no fixed input size"
    network = backbone.network(weights)
    batch = _example(backbone, backbone.input_size)
    with torch.inference_mode():
        expected = network(batch)
    expected = expected if isinstance(expected, tuple) else (expected,)
    try:
        with _quiet():
            torch.onnx.export(
                network,
                (batch,),
                path,
                input_names=["images"],
                output_names=["features", "logits"][: len(expected)],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except OSError:  # a full disk says nothing about the network
        raise
    # The exporter fails in many ways, one for each operator it does not know.
    except Exception as error:
        return f"run by torch: the network cannot be exported to ONNX ({type(error).__name__})"
    outputs = OnnxEngine(path, title=backbone.name, batch_size=2).run(batch.numpy())
    for output, reference in zip(outputs, (tensor.numpy() for tensor in expected), strict=False):
        if output is None or np.abs(output - reference).max() > TOLERANCE * np.abs(reference).max():
            return "run by torch: ONNX Runtime's output differs from torch's"
    return None
