"""Small images, a stand-in embedding, and the distances of the paper's definition, slowly."""

import numpy as np
import torch
from torch import nn

from genmem.training import MemorizationRejection


class Projection(nn.Module):
    """A stand-in embedding: uint8 images → 24 features, and a count of the images seen."""

    def __init__(self):
        super().__init__()
        weight = torch.randn(3 * 6 * 6, 24, generator=torch.Generator().manual_seed(1))
        self.weight = nn.Parameter(weight)
        self.seen = 0

    def forward(self, images):
        assert images.dtype == torch.uint8
        self.seen += len(images)
        return images.flatten(1).float() @ self.weight


def as_float(pixels):
    return torch.from_numpy(pixels).float() / 127.5 - 1


def random_pixels(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 6, 6), dtype=np.uint8)


def features(images, embedding):
    pixels = ((images + 1) * 127.5).round().flatten(1).double()
    return (pixels @ embedding.weight.double()).detach().numpy()


def slow_distances(generated, train, embedding):
    """d(x) = min over training images x' of 1 − cos(f(x), f(x')), one pair at a time."""
    reference = features(as_float(train), embedding)
    out = []
    for row in features(generated, embedding):
        cosines = [row @ r / np.sqrt((row @ row) * (r @ r)) for r in reference]
        out.append(min(1 - cosine for cosine in cosines))
    return np.array(out)


def threshold(distances):
    """A τ in the middle of the widest gap of the middle half: no tie with rounding."""
    middle = np.sort(distances)[len(distances) // 4 : -len(distances) // 4]
    widest = np.diff(middle).argmax()
    return float(middle[widest : widest + 2].mean())


def make(train, tau, **options):
    return MemorizationRejection(train, backbone=Projection(), tau=tau, **options)
