"""The four ways of cheating seen in the competition, to calibrate and test against.

Bai et al., "On Training Sample Memorization: Lessons from Benchmarking Generative Modeling with a
Large-scale Competition" (KDD 2021, arXiv 2106.03062), Table 1:

    mgan        a GAN whose discriminator tells who is a training image     classifier.py
    mgan-store  a GAN whose discriminator stores the training images        store.py
    sup         a supervised mapping from fixed codes to training images    supervised.py
    ae          reconstructions by an autoencoder                           autoencoder.py
    aug         crops, flips, morphs and noise                              augmentation.py
"""

from genmem.cheats.augmentation import TRANSFORMATIONS
from genmem.cheats.dataset import load_training_images
from genmem.cheats.registry import METHODS, MIXES, Method, check_options, make, write_images

__all__ = [
    "METHODS",
    "MIXES",
    "TRANSFORMATIONS",
    "Method",
    "check_options",
    "load_training_images",
    "make",
    "write_images",
]
