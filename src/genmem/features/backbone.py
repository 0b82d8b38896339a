"""What the catalogue says about a backbone, and what an engine offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from genmem.features.preprocessing import Preprocessing
from genmem.features.weights import WeightsSource

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda", "mps"]

FeaturesAndLogits = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Features [b, d] and, for classifiers that metrics need the classes of, logits [b, classes]."""


class Engine(Protocol):
    """Runs a network on preprocessed batches.

    Attributes:
        name: "onnxruntime cpu", "torch cuda", …: part of the cache key and the provenance.
        batch_size: images per call at which it is fastest.
        dimension: features per image; None until known.
        note: what a reader of the provenance must know, if anything.
    """

    name: str
    batch_size: int
    dimension: int | None
    note: str | None

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images [b, h, w, 3] → features and logits."""
        ...


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A way to turn images into features: network, weights and preprocessing together.

    Attributes:
        name: what the user calls it.
        description: one line for the list of backbones.
        licence: of the weights.
        dimension: features per image; None where only the loaded file tells.
        input_size: side of the square the network sees, in pixels; None when it takes any size.
        preprocessing: how images are made to fit, by a versioned name.
        weights: where its weights come from; None when it needs none.
        network: builds the torch network from a weights file: input [b, h, w, 3] uint8 or float32
            with values 0–255, output features, or features and logits. None without a network.
        open_engine: makes the engine for it: (backbone, weights file, its SHA-256, device).
    """

    name: str
    description: str
    licence: str
    dimension: int | None
    input_size: int | None
    preprocessing: Preprocessing
    weights: WeightsSource | None
    network: Callable[[Path], torch.nn.Module] | None = field(repr=False, compare=False)
    open_engine: Callable[[Backbone, Path | None, str | None, Device], Engine] = field(
        repr=False, compare=False
    )

    @property
    def weights_from(self) -> str:
        """Where the weights come from, in words."""
        return self.weights.url if self.weights else "needs no weights"
