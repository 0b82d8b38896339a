"""Limits on the size of one input, far above ordinary images: bounds against bombs."""

from __future__ import annotations

from genmem.errors import InputError

MAX_PIXELS = 2**26
"""Pixels of one decoded image (8,192 × 8,192): 192 MiB as RGB."""

MAX_IMAGE_BYTES = 2**28
"""Bytes of one encoded image or archive entry after decompression: 256 MiB."""

MAX_RATIO = 200
"""How many times its own size an archive may unpack to. JPEGs and PNGs in a zip or tar.gz stay
near 1; flat bitmaps rarely exceed 100; bombs start above 1,000."""

RATIO_FLOOR = 2**28
"""Bytes below which the ratio does not count: 256 MiB do no harm."""

MAX_ROW_GROUP_BYTES = 2**31
"""Uncompressed bytes of the images in one parquet row group, which is read as a whole: 2 GiB."""


def too_large_error(size: int, *, what: str) -> InputError:
    """The error for one encoded image of more than MAX_IMAGE_BYTES.

    Args:
        size: its bytes.
        what: the image, for the message.
    """
    return InputError(
        f"{what}: takes {size:,} bytes, more than the {MAX_IMAGE_BYTES:,} that one image may take "
        "(a decompression bomb?). Remove it or make it smaller."
    )


def refuse_bomb(total: int, *, compressed: int, what: str) -> None:
    """Raise InputError if an archive unpacks to suspiciously many bytes.

    Args:
        total: bytes after decompression, so far.
        compressed: bytes before.
        what: the archive, for the message.
    """
    if total > RATIO_FLOOR and total > MAX_RATIO * compressed:
        raise InputError(
            f"{what}: {compressed:,} bytes unpack to {total:,} or more, over {MAX_RATIO} times as "
            "many. This looks like a zip bomb: images do not shrink like that. If you trust it, "
            "unpack it yourself and give the folder."
        )
