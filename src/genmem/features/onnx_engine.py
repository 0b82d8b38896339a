"""`OnnxEngine` runs a network in ONNX Runtime, on the CPU or, where its package can, on CUDA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, WeightsError
from genmem.features.backbone import FeaturesAndLogits
from genmem.forks import keep_in_forks
from genmem.images.prefetch import usable_cores


def as_rows(
    output: NDArray, count: int, name: str, dimension: int | None = None
) -> NDArray[np.float32]:
    """Check that a network's output is a row per image; give it as float32 [b, d].

    Args:
        output: [b, d], or [b, d, 1, …].
        count: images in the batch.
        name: the network, for messages.
        dimension: d of the batches before; None: any.

    Raises:
        InputError: it is not one row of features per image, or has another d.
    """
    if output.ndim > 2 and output.size == output.shape[0] * output.shape[1]:
        output = output.reshape(output.shape[:2])
    if output.ndim != 2 or len(output) != count:
        raise InputError(
            f"{name}: expected one row of features per image, [b, d], got shape "
            f"{tuple(output.shape)} for {count} images."
        )
    if dimension not in (None, output.shape[1]):
        raise InputError(
            f"{name}: expected {dimension} features per image, as before, got {output.shape[1]}: "
            "their number must not depend on the images."
        )
    return np.ascontiguousarray(output, dtype=np.float32)


_CUDA = "CUDAExecutionProvider"


def onnx_runs_on_cuda() -> bool:
    """Whether the ONNX Runtime that is installed can use CUDA (the package onnxruntime-gpu)."""
    return _CUDA in _onnxruntime().get_available_providers()


def _onnxruntime() -> Any:
    # From 1.29 on ONNX Runtime reports every session to its makers and keeps an identifier in the
    # home folder unless this is set before the import. genmem reports nothing to anybody.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


class OnnxEngine:
    """ONNX Runtime. The first output is the features, the second, if any, the logits."""

    note: str | None = None

    def __init__(
        self, model: Path | bytes, *, title: str, batch_size: int, cuda: str | None = None
    ) -> None:
        """Open a session.

        Args:
            model: the file, or its contents.
            title: the network, for messages.
            batch_size: images per call at which it is fastest.
            cuda: the GPU to compute on ("cuda", "cuda:1"), in float32 without TF32; see
                `onnx_runs_on_cuda`. None: the CPU.

        Raises:
            WeightsError: ONNX Runtime cannot load it.
        """
        onnxruntime = _onnxruntime()
        self.name = f"onnxruntime {'cuda' if cuda else 'cpu'}"
        number = (cuda or "").partition(":")[2] or "0"
        providers = [(_CUDA, {"use_tf32": "0", "device_id": number})] if cuda else []
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads that spin take the cores from the reader threads.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                options,
                providers=[*providers, "CPUExecutionProvider"],
            )
        # ONNX Runtime's exceptions have no common base but Exception.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(f"ONNX Runtime cannot load {title}: {reason}") from error
        keep_in_forks(self.session)
        self.title = title
        self.batch_size = batch_size
        self.input = self.session.get_inputs()[0]
        self.outputs = [output.name for output in self.session.get_outputs()][:2]
        width = (self.session.get_outputs()[0].shape or [None, None])[1:2]
        self.dimension: int | None = width[0] if width and isinstance(width[0], int) else None

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images → features and logits."""
        outputs = self.session.run(self.outputs, {self.input.name: batch})
        rows = [as_rows(np.asarray(output), len(batch), self.title) for output in outputs]
        self.dimension = rows[0].shape[1]
        return rows[0], rows[1] if len(rows) > 1 else None
