"""The registry of image sources, and `open_images`, which finds the one that opens what is given.

Other packages add sources by entry points of the group `genmem.image_sources`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from genmem import plugins
from genmem.arrays import is_array_like
from genmem.errors import InputError, os_reason
from genmem.images.archives import ARCHIVE_SUFFIXES, open_archive_file
from genmem.images.arrays import ArraySource, ValueRange, check_value_range, open_array_file
from genmem.images.files import FilesSource, as_paths
from genmem.images.folder import open_folder
from genmem.images.iterables import IterableSource, is_item
from genmem.images.parquet import open_parquet_file
from genmem.images.patterns import is_pattern
from genmem.images.shards import open_pattern, open_url
from genmem.images.source import ImageSource, Progress
from genmem.io.npz_layouts import PICKLES, pickle_refused
from genmem.io.paths import refuse_empty
from genmem.io.urls import is_url, without_secrets

REFERENCE = ".genmem"
"""The suffix of folders that describe a training set (`genmem.reference`)."""

GROUP = "genmem.image_sources"
"""The group of the entry points by which other packages add image sources (`genmem.plugins`)."""


@dataclass(frozen=True, kw_only=True)
class SourceFormat:
    """One way in which images are stored.

    Attributes:
        name: its name in the registry.
        description: how it is given on the command line, for messages (".zip").
        accepts: whether this format opens a given source; called with whatever the user gave.
        open: opens it and reads its index.
    """

    name: str
    description: str
    accepts: Callable[[Any], bool]
    open: Callable[[Any], ImageSource]


def has_suffix(*suffixes: str) -> Callable[[object], bool]:
    """A test for `SourceFormat.accepts`: the source is an existing path with one of `suffixes`."""

    def accepts(source: object) -> bool:
        return (
            isinstance(source, str | os.PathLike)
            and Path(source).name.lower().endswith(suffixes)
            and Path(source).exists()
        )

    return accepts


def _is_hub(source: object) -> bool:
    return isinstance(source, str) and source.startswith("hf:")


def _is_folder(source: object) -> bool:
    return isinstance(source, str | os.PathLike) and Path(source).is_dir()


def _open_hub(source: str) -> ImageSource:
    from genmem.images.hub import open_hub  # loads an HTTP client

    return open_hub(source)


def _is_file_pattern(source: object) -> bool:
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    return is_pattern(without_secrets(text)) and not Path(text).exists()


FORMATS = {
    source_format.name: source_format
    for source_format in (
        SourceFormat(
            name="folder",
            description="a folder",
            accepts=_is_folder,
            open=lambda path: open_folder(Path(path)),
        ),
        SourceFormat(
            name="archive",
            description=".zip, .tar (.gz, .bz2, .xz)",
            accepts=has_suffix(*ARCHIVE_SUFFIXES),
            open=lambda path: open_archive_file(Path(path)),
        ),
        SourceFormat(
            name="parquet",
            description=".parquet",
            accepts=has_suffix(".parquet"),
            open=lambda path: open_parquet_file(Path(path)),
        ),
        SourceFormat(
            name="array file",
            description=".npy, .npz",
            accepts=has_suffix(".npy", ".npz"),
            open=lambda path: open_array_file(Path(path)),
        ),
        SourceFormat(name="hub", description="hf:DATASET[:split]", accepts=_is_hub, open=_open_hub),
        SourceFormat(
            name="pattern",
            description="a pattern ('shards/{000..099}.tar', 'data/*.parquet')",
            accepts=_is_file_pattern,
            open=lambda pattern: open_pattern(os.fspath(pattern)),
        ),
        SourceFormat(
            name="remote", description="s3://, gs:// or https://", accepts=is_url, open=open_url
        ),
        SourceFormat(
            name="array",
            description="an array",
            accepts=is_array_like,
            open=lambda pixels: ArraySource(pixels, name="array", where="the array"),
        ),
    )
}
"""genmem's own formats. A new one is an `ImageSource` in a file of its own, and an entry here."""


def open_images(
    source: str | os.PathLike[str] | Iterable[Any] | ImageSource,
    *,
    value_range: ValueRange | None = None,
    role: str | None = None,
    progress: Progress | None = None,
) -> ImageSource:
    """Open a source of images. Only its index is read here, no image, but of iterables.

    Args:
        source: one of

            - a folder (recursive), .zip, .tar (also .tar.gz, .tgz, .tar.bz2, .tar.xz): image files,
              in order of their paths; equal files give equal order and hashes in any of these;
            - a .parquet file with a column of encoded images (`parquet`);
            - several archives or parquet files: a pattern with braces or wildcards, or a folder of
              them (`patterns`, `shards`);
            - any of these files by a URL (`remote`);
            - a .npy or .npz file with uint8 pixels [N, H, W, C], or gray [N, H, W];
            - `hf:DATASET[:split]`, a data set on the Hugging Face hub (`hub`);
            - an array or tensor of the same shapes, or with the channels first, [N, C, H, W];
            - whatever an installed package's format accepts;
            - a list of the paths of image files;
            - a torch `Dataset` or `DataLoader`, a data set of `datasets`, or any other iterable of
              images, batches, (image, label) tuples or dictionaries with an image (`iterables`);
              they may be mixed. It is read once, at once, into a temporary file;
            - an `ImageSource`, which is returned unchanged.
        value_range: the values of black and white in floating-point images, (0, 1) or (-1, 1);
            None refuses such images, since their values do not say it.
        role: what the set is ("generated"), for messages.
        progress: told how many images of an iterable have come.

    Raises:
        InputError: it does not exist, cannot be read, holds no image, or is refused as unsafe (see
            `archives`, `limits`).
        UsageError: it is an empty text.

    Example:
        >>> import numpy as np
        >>> from genmem import open_images
        >>> with open_images(np.zeros((3, 8, 8, 3), dtype=np.uint8)) as source:
        ...     len(source)
        3
    """
    value_range = check_value_range(value_range)
    if isinstance(source, ImageSource):
        return source
    refuse_empty(source, name=role or "images")
    if is_array_like(source):
        where = role or "the array"
        return ArraySource(source, name="array", where=where, value_range=value_range)
    if paths := as_paths(source):
        return FilesSource(paths)
    if isinstance(source, str | os.PathLike) and Path(source).suffix == REFERENCE:
        raise InputError(
            f"{source}: is a reference (`genmem reference`), which holds no images. Give the "
            "images. `--train` of score, audit, calibrate and others takes a reference, too."
        )
    formats = plugins.extend(FORMATS, group=GROUP, kind=SourceFormat)
    try:
        for source_format in formats.values():
            if source_format.accepts(source):
                opened = source_format.open(source)
                if isinstance(source, str | os.PathLike):
                    opened.origin = _origin(os.fspath(source))
                return opened
    except OSError as error:
        shown = without_secrets(str(source))
        raise InputError(f"{shown}: cannot be read: {os_reason(error)}.") from error
    descriptions = ", ".join(source_format.description for source_format in formats.values())
    if isinstance(source, str | os.PathLike):
        if not Path(source).exists():
            raise InputError(
                f"{source}: there is no such file or folder. Expected one of: {descriptions}."
            )
        if Path(source).suffix.lower() in PICKLES:
            raise pickle_refused(source)
        raise InputError(
            f"{source}: expected one of: {descriptions}. For a single image, give its folder."
        )
    items = _items(source)
    if items is None:
        raise InputError(
            f"{role or 'images'}: expected images: a path, an array, or an iterable of images; got "
            f"{_describe(source)}."
        )
    return IterableSource(
        items, where=role or "the iterable", value_range=value_range, progress=progress
    )


def _items(source: Any) -> Iterable[Any] | None:
    """What a source in memory yields; None if it is none."""
    if is_item(source):
        return [source]
    if isinstance(source, bytes | bytearray | Image.Image):
        return None
    if isinstance(source, Iterable):
        return source
    if hasattr(source, "__getitem__") and hasattr(source, "__len__"):  # a torch `Dataset`
        return (source[position] for position in range(len(source)))
    return None


def _describe(source: object) -> str:
    """What is no set of images, and what may have been meant."""
    name = type(source).__name__
    if isinstance(source, Image.Image):
        return f"{name}, a single image. Give a list of images: [image]"
    if callable(source):
        return f"{name}. For images of a sampler give genmem.sample_images(sampler, n)"
    return name


def _origin(source: str) -> str:
    """A path or pattern in full, for processes in other folders; an address as it is."""
    is_path = not is_url(source) and (is_pattern(source) or Path(source).exists())
    return str(Path(source).absolute()) if is_path else source
