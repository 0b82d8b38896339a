"""Small torch networks in files, and what they give."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import genmem.features as features
from genmem.images import open_images

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def small_network(seed=0) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).eval()


def expected_rows(images, network, side):
    """torchvision's recipe in NumPy and Pillow: resize the shorter side, scale, run."""
    rows = []
    for image in images:
        height, width = image.shape[:2]
        shorter = min(height, width)
        size = (int(side * width / shorter), int(side * height / shorter))
        resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        values = ((resized / 255 - MEAN) / STD).transpose(2, 0, 1)
        rows.append(network(torch.from_numpy(values[None]).float())[0].detach().numpy())
    return np.stack(rows)


def save_torchscript(network, path, *, trace):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, 40, 48)
        scripted: Any = torch.jit.trace(network, example) if trace else torch.jit.script(network)
        scripted.save(path)
    return path


def save_exported(network, path, *, size=None, batch=None, dtype=torch.float32):
    dim = torch.export.Dim
    example = torch.zeros(batch or 2, 3, *(size or (40, 48)), dtype=dtype)
    dynamic = {} if batch else {0: dim("b")}
    if size is None:
        dynamic |= {2: dim("h", min=8, max=4096), 3: dim("w", min=8, max=4096)}
    program = torch.export.export(network, (example,), dynamic_shapes=(dynamic,))
    torch.export.save(program, path)
    return path


def rows_of(backbone, images, **options):
    extractor = features.load_backbone(backbone, device="cpu")
    with open_images(images) as source:
        return features.extract(source, extractor=extractor, **{"cache": None, **options}).array


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.touch, (self.folder / "executed",)
