"""torch-fidelity's Inception V3, its layers called one by one so that it takes resized images."""

from __future__ import annotations

import io

import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from genmem.features._state_dict import StateDict


class Inception(nn.Module):
    """[b, 299, 299, 3] values 0–255 → features [b, 2048] and logits without bias [b, 1008].

    torch-fidelity's own `forward` resizes uint8 images itself; here the images come resized. Its
    constructor reads a weights file with the unrestricted unpickler, so it is handed bytes that
    were written here, from tensors already read safely.

    Raises:
        RuntimeError: `tensors` are not this network's.
    """

    def __init__(self, tensors: StateDict) -> None:
        super().__init__()
        written = io.BytesIO()
        torch.save(dict(tensors), written)
        written.seek(0)
        self.extractor = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=written,  # type: ignore[arg-type]
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[b, 299, 299, 3] → features [b, 2048], logits [b, 1008]."""
        layers = self.extractor
        x = (images.permute(0, 3, 1, 2).float() - 128) / 128
        x = layers.Conv2d_2b_3x3(layers.Conv2d_2a_3x3(layers.Conv2d_1a_3x3(x)))
        x = layers.MaxPool_1(x)
        x = layers.Conv2d_4a_3x3(layers.Conv2d_3b_1x1(x))
        x = layers.MaxPool_2(x)
        x = layers.Mixed_5d(layers.Mixed_5c(layers.Mixed_5b(x)))
        x = layers.Mixed_6a(x)
        x = layers.Mixed_6e(layers.Mixed_6d(layers.Mixed_6c(layers.Mixed_6b(x))))
        x = layers.Mixed_7c(layers.Mixed_7b(layers.Mixed_7a(x)))
        features = torch.flatten(layers.AvgPool(x), 1)
        return features, features.mm(layers.fc.weight.T)
