"""The class rule: an image's class is its first folder below those that all images share.

In a folder or archive, `cat/1.png` and `cat/tabby/2.png` beside `dog/3.png` are of class `cat`, and
so are `data/train/cat/1.png` and `data/train/cat/tabby/2.png` beside `data/train/dog/3.png`; an
image that lies in no such folder has no class. Elsewhere a class is a label: parquet files have a
column of them (`parquet`), arrays and iterables have none. `ImageSource.class_name` gives the class
of an image of any source. A set with images of only one class has no classes: one class tells
nothing apart, and is most often a folder around the whole set, with a stray image beside it or not.
"""

from __future__ import annotations

from genmem.images.source import ImageSource


def shared_folder(first: bytes, last: bytes) -> bytes:
    """The folder, with its final slash, that holds all files; empty if it is the root.

    Args:
        first: the first of all paths, sorted by their bytes.
        last: the last of them.
    """
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    return first[: first.rfind(b"/", 0, common) + 1]


def read_classes(source: ImageSource) -> list[str | None]:
    """The class of each entry of a source; None for all unless they are of two classes or more."""
    unique: dict[str | None, str | None] = {}  # one text for each class, however many images
    names = (source.class_name(position) for position in range(len(source)))
    classes = [unique.setdefault(name, name) for name in names]
    return classes if len(unique.keys() - {None}) > 1 else [None] * len(classes)
