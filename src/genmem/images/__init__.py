"""Sources of images → decoded uint8 batches with stable ids.

with open_images("train.zip") as source:
    hash_images(source).hexdigest
    for batch in read_batches(source, transform=..., batch_size=64): ...

registry.py        `open_images`, and the registry of source formats
source.py          `ImageSource`: what every source offers
folder.py archives.py parquet.py arrays.py hub.py files.py
                   the sources
iterables.py       data sets, loaders, lists and other iterables, whatever they yield
sampler.py         images straight from a sampler or a diffusers pipeline
shards.py          several archives or parquet files as one source
patterns.py        braces and wildcards that name several files
remote.py          files in object storage and on web servers
file_pool.py       files that are open only while they are read
filenames.py       which files are images, by their names; names held packed
classes.py         the class rule: the first folders in which images differ
decode.py          encoded images and pixels → RGB, 8 bits
fast_jpeg.py       JPEGs of common kinds, several times faster, to the same bits
formats.py         formats by their first bytes, and which can be read here
pillow_settings.py Pillow's process-wide settings, at their defaults while decoding
reader.py          decoded, transformed batches, read ahead
hashing.py         content hashes
augmentations.py   flips and crops that cheats hide copies with
disguises/         named disguises of copies, to measure what is found of them
limits.py          bounds against decompression bombs
prefetch.py        threads that work ahead, in order
tempfiles.py       temporary files, and files shared by threads
"""

from genmem.images.arrays import ArraySource, ValueRange, check_value_range
from genmem.images.augmentations import AUGMENTATIONS, IDENTITY, Augmentation, parse_augmentations
from genmem.images.classes import read_classes
from genmem.images.decode import DECODE_RULE, decode, image_to_rgb
from genmem.images.hashing import hash_images
from genmem.images.reader import Batch, Transform, read_batches, stack_images
from genmem.images.registry import open_images
from genmem.images.sampler import sample_images
from genmem.images.source import (
    ImageHashes,
    ImageSource,
    Progress,
    broken_file_notes,
    refuse_non_images,
    side_file_notes,
)

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
    "ValueRange",
    "broken_file_notes",
    "check_value_range",
    "decode",
    "hash_images",
    "image_to_rgb",
    "open_images",
    "parse_augmentations",
    "read_batches",
    "read_classes",
    "refuse_non_images",
    "sample_images",
    "side_file_notes",
    "stack_images",
]
