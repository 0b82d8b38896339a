"""Your own network as a feature space: a torch module, a callable or a file."""

from pathlib import Path

import torch
from torch import nn

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))
torch.manual_seed(0)

network = nn.Sequential(  # stands for one that you trained
    nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2), nn.Flatten()
)
backbone = genmem.custom_backbone(network, preprocess="unit", name="my-network")

result = genmem.score(
    generated=digits / "copying",
    train=digits / "train",
    test=digits / "test",
    backbone=backbone,
    metrics=["memorization_distance", "c_t", "copied_fraction"],
)
print(result.backbone["name"], result.backbone["dimension"], "features")
for name, metric in result.metrics.items():
    print(f"{name:22} {float(metric):8.3f}")
