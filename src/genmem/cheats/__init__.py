"""The four ways of cheating seen in the competition, to calibrate and test against.

Bai et al., "On Training Sample Memorization: Lessons from Benchmarking Generative Modeling with a
Large-scale Competition" (KDD 2021, arXiv 2106.03062), Table 1. Other packages add cheats by entry
points (see `registry`).

registry.py            the registry of cheats, and `generate_images`
dataset.py             training images in memory
archive.py             a zip of generated images
mgan.py                mgan: a GAN whose discriminator classifies training images
mgan_store.py          mgan-store: a GAN whose discriminator stores the training images
supervised_mapping.py  sup: a supervised mapping from fixed codes to training images
autoencoder.py         ae: reconstructions by an autoencoder
augmentation.py        aug: crops, flips, morphs and noise
mixing.py              which training images are copied, and mixtures of two
rows.py                dense layers of one-hot vectors, trained a few rows at a time
"""

from genmem.cheats.archive import write_images
from genmem.cheats.dataset import load_training_images
from genmem.cheats.registry import Cheat, CheatOptions, CheatRequest, generate_images, registry

__all__ = [
    "Cheat",
    "CheatOptions",
    "CheatRequest",
    "generate_images",
    "load_training_images",
    "registry",
    "write_images",
]
