"""Sources of images → decoded uint8 batches with stable ids.

with open_images("train.zip") as source:
    digest(source).hexdigest
    for batch in read_batches(source, transform=..., batch_size=64): ...
"""

from genmem.images.arrays import ArraySource
from genmem.images.augmentations import AUGMENTATIONS, IDENTITY, Augmentation, parse_augmentations
from genmem.images.decode import DECODE_RULE, decode, image_to_rgb
from genmem.images.hashing import hash_images
from genmem.images.reader import Batch, Transform, read_batches
from genmem.images.registry import open_images
from genmem.images.source import ImageHashes, ImageSource, Progress, refuse_non_images

__all__ = [
    "AUGMENTATIONS",
    "DECODE_RULE",
    "IDENTITY",
    "ArraySource",
    "Augmentation",
    "Batch",
    "ImageHashes",
    "ImageSource",
    "Progress",
    "Transform",
    "decode",
    "hash_images",
    "image_to_rgb",
    "open_images",
    "parse_augmentations",
    "read_batches",
    "refuse_non_images",
]
