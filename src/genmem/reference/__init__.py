"""A training set described once and asked often: a folder that takes the place of the images.

build.py        `build_reference`: from images or features to a folder
checks.py       what values must be, so that a file from elsewhere is not believed
contents.py     the rows, ids, classes and thumbnails of a set, written and read by shard
description.py  what metrics need of the training rows alone, and of held-out against training rows
folder.py       the folder: replaced as a whole, names and sizes of its files checked
manifest.py     `Manifest`: what `manifest.json` says, and which files there must be
reference.py    `open_reference`: `Reference`, its spaces and sets, memory-mapped
stored_images.py  its pictures as a source of images
thumbnails.py   small pictures of the images, for pages
verify.py       `verify_reference`: every digest, and samples of the distances, recomputed
edit.py         `add_to_reference` and `merge_references`
export.py       statistics files for pytorch-fid, clean-fid and ADM
"""

from genmem.reference.build import build_reference
from genmem.reference.reference import Reference, is_reference, open_reference

__all__ = ["Reference", "build_reference", "is_reference", "open_reference"]
