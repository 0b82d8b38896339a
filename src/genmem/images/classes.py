"""The class rule: an image's class is its first-level folder.

In a folder or archive, `cat/1.png` and `cat/tabby/2.png` are of class `cat`; an image at the top
has no class. Elsewhere a class is a label: parquet files have a column of them (`parquet`), arrays
and iterables have none. `ImageSource.class_name` gives the class of an image of any source.
"""

from __future__ import annotations


def class_of_path(image_id: str) -> str | None:
    """The class of an image with this path below the root; None for an image at the top."""
    folder, slash, _ = image_id.partition("/")
    return folder if slash else None
