"""Sources of images → decoded uint8 batches with stable ids.

with open_images("train.zip") as source:
    digest(source).hexdigest
    for batch in read_batches(source, transform=..., batch_size=64): ...
"""

from genmem.images.decode import DECODE_RULE, decode, image_to_rgb
from genmem.images.digest import Digest, digest
from genmem.images.reader import Batch, Transform, read_batches
from genmem.images.source import ImageSource, Progress, refuse_strangers
from genmem.images.sources import open_images
from genmem.images.transformations import AS_IS, FAMILIES, Transformation, transformations

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
    "read_batches",
    "refuse_strangers",
    "transformations",
]
