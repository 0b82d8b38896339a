"""torch-fidelity's Inception V3, its layers called one by one so that it takes resized images."""

from __future__ import annotations

import io

import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from genmem.features._state_dict import StateDict


class _Inception(nn.Module):
    """torch-fidelity's layers, with weights that were read safely.

    torch-fidelity's own `forward` resizes uint8 images itself; here the images come resized. Its
    constructor reads a weights file with the unrestricted unpickler, so it is handed bytes that
    were written here, from tensors already read safely.

    Raises:
        RuntimeError: `tensors` are not this network's.
    """

    def __init__(self, tensors: StateDict, *, middle: float = 128.0) -> None:
        """Build the layers.

        Args:
            tensors: this network's weights.
            middle: m of the scaling (x − m) / m.
        """
        super().__init__()
        self.middle = middle
        written = io.BytesIO()
        torch.save(dict(tensors), written)
        written.seek(0)
        self.extractor = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=written,  # type: ignore[arg-type]
        )

    def to_mixed_6c(self, images: torch.Tensor) -> torch.Tensor:
        """[b, 299, 299, 3] values 0–255 → [b, 768, 17, 17]."""
        layers = self.extractor
        x = (images.permute(0, 3, 1, 2).float() - self.middle) / self.middle
        x = layers.Conv2d_2b_3x3(layers.Conv2d_2a_3x3(layers.Conv2d_1a_3x3(x)))
        x = layers.MaxPool_1(x)
        x = layers.Conv2d_4a_3x3(layers.Conv2d_3b_1x1(x))
        x = layers.MaxPool_2(x)
        x = layers.Mixed_5d(layers.Mixed_5c(layers.Mixed_5b(x)))
        return layers.Mixed_6c(layers.Mixed_6b(layers.Mixed_6a(x)))

    def to_pool(self, images: torch.Tensor) -> torch.Tensor:
        """[b, 299, 299, 3] → features [b, 2048]."""
        layers = self.extractor
        x = layers.Mixed_6e(layers.Mixed_6d(self.to_mixed_6c(images)))
        x = layers.Mixed_7c(layers.Mixed_7b(layers.Mixed_7a(x)))
        return torch.flatten(layers.AvgPool(x), 1)


class Inception(_Inception):
    """[b, 299, 299, 3] values 0–255 → features [b, 2048] and logits without bias [b, 1008]."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[b, 299, 299, 3] → features [b, 2048], logits [b, 1008]."""
        features = self.to_pool(images)
        return features, features.mm(self.extractor.fc.weight.T)


class PooledInception(_Inception):
    """[b, 299, 299, 3] values 0–255 → features [b, 2048]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[b, 299, 299, 3] → features [b, 2048]."""
        return self.to_pool(images)


class SpatialInception(_Inception):
    """[b, 299, 299, 3] values 0–255 → spatial features [b, 2023].

    The first seven channels of the 1 × 1 convolution of Mixed_6d (`mixed_6/conv` in TensorFlow's
    graph), after its ReLU, at all 17 × 17 places.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[b, 299, 299, 3] → spatial features [b, 2023]."""
        branch = self.extractor.Mixed_6d.branch1x1(self.to_mixed_6c(images))
        return torch.flatten(branch[:, :7].permute(0, 2, 3, 1), 1)
