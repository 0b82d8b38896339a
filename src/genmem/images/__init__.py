"""Sources of images → decoded uint8 batches with stable ids.

with open_images("train.zip") as source:
    digest(source).hexdigest
    for batch in read_batches(source, transform=..., batch_size=64): ...
"""

from genmem.images.augmentations import AS_IS, FAMILIES, Transformation, parse_augmentations
from genmem.images.decode import DECODE_RULE, decode, image_to_rgb
from genmem.images.hashing import digest
from genmem.images.reader import Batch, Transform, read_batches
from genmem.images.source import Digest, ImageSource, Progress, refuse_strangers
from genmem.images.sources import open_images

__all__ = [
    "AS_IS",
    "DECODE_RULE",
    "FAMILIES",
    "Batch",
    "Digest",
    "ImageSource",
    "Progress",
    "Transform",
    "Transformation",
    "decode",
    "digest",
    "image_to_rgb",
    "open_images",
    "parse_augmentations",
    "read_batches",
    "refuse_strangers",
]
