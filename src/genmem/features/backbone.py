"""`Backbone`, an entry of the registry of backbones, and `Engine`, which runs its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from genmem.features.preprocessing import Preprocessing, keeps_aspect
from genmem.features.weights import WeightsSource

if TYPE_CHECKING:
    import torch

Device = str
"""Where a network runs: "auto", "cpu", "cuda", "cuda:1" (one GPU of several) or "mps"."""

FeaturesAndLogits = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Features [b, d] and, for classifiers whose classes a metric needs, logits [b, classes]."""


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


OpenEngine = Callable[["Backbone", Path | None, str | None, Device], Engine]
"""Opens an engine for a backbone, given its weights file, the file's SHA-256 and the device."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A way to turn images into features: network, weights and preprocessing together.

    Attributes:
        name: its name on the command line.
        description: one line for the list of backbones.
        licence: of the weights.
        dimension: features per image; None if only the loaded file says so.
        input_size: side of the square that the network takes, in pixels; None for any size.
        preprocessing: how images become the network's input.
        weights: where its weights come from; None if it needs none.
        network: builds the torch network from a weights file: input [b, h, w, 3] uint8 or float32
            with values 0–255, output features, or features and logits. None without a network.
        batch_size: images per call at which the network is fastest on a CPU.
        open_engine: opens the engine; None: `engines.open_network_engine`, which runs `network`.
        digest: hashes the weights of a network that has no weights file, as they are now.
        is_cacheable: whether name and weights decide the features, so that they may be cached.
    """

    name: str
    description: str
    licence: str
    preprocessing: Preprocessing
    dimension: int | None = None
    input_size: int | None = None
    weights: WeightsSource | None = None
    network: Callable[[Path], torch.nn.Module] | None = field(
        default=None, repr=False, compare=False
    )
    batch_size: int = 16
    open_engine: OpenEngine | None = field(default=None, repr=False, compare=False)
    digest: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    is_cacheable: bool = True

    @property
    def weights_from(self) -> str:
        """Where the weights come from, as text."""
        return self.weights.url if self.weights else "needs no weights"

    @property
    def takes_any_shape(self) -> bool:
        """Whether images of one set may have several shapes once they are preprocessed."""
        return keeps_aspect(self.preprocessing)
