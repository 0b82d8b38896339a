"""Named disguises of a copied image, to measure what finds copies that were changed.

The functions here are independent of `genmem.images.augmentations`, which an audit compares with.

registry.py     `DISGUISES`: all of them by name, and `apply_disguise`
values.py       codecs, sizes, colors, blur, noise and filters: every pixel stays in its place
geometry.py     flips, rotations, crops, frames and perspective
composites.py   text, stickers and watermarks over the image; parts of it in another image
"""

from genmem.images.disguises.registry import DISGUISES, Disguise, apply_disguise

__all__ = ["DISGUISES", "Disguise", "apply_disguise"]
