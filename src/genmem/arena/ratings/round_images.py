"""The images of a round: drawn once from each entry, shown as one sheet per page.

Of every submission up to `POOL` images are drawn when it is first needed and kept as a zip of PNGs,
so that a page costs a small file and not a whole submission. All images, real ones too, come to the
same size, and each sheet is encoded anew: neither size nor file betrays where it is from.

The real images come from the *public* training set: raters may be participants, and nothing of the
private split is shown to them.
"""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.ratings.assignment import ENTRY, SPOILED
from genmem.arena.ratings.models import Item, Page, Round
from genmem.arena.submissions import storage
from genmem.errors import InputError
from genmem.images import ImageSource, decode, open_images

POOL = 200
"""Images drawn from each entry."""
_NARROWEST, _WIDEST, _LARGEST, _GUTTER = 576, 1600, 512, 6
"""Pixels: widths of a sheet, of a cell, between cells."""


def open_real(competition: Competition) -> ImageSource:
    """The public split's training images.

    Raises:
        InputError: there is no public split, or its images cannot be read.
    """
    split = split_in_force(competition, "public")
    if split is None:
        raise InputError("there is no public split yet, and so no training images")
    return open_images(split.train)


def sheet(page: Page) -> bytes:
    """The images of a page as one PNG, in a square grid with clear gutters."""
    item, competition = page.item, page.rater.round.competition
    if item.kind == SPOILED and page.question == "diversity":
        images = _pool_images(item, page.images[:1]) * len(page.images)
    else:
        images = _pool_images(item, page.images)
    if item.kind == SPOILED and page.question == "quality":
        images = [_shuffled(one, seed=page.pk) for one in images]
    columns = page.rater.round.split_of(page.question)
    width, height = _cell(competition, columns)
    rows = -(-len(images) // columns)
    drawn = Image.new(
        "RGBA",
        (columns * (width + _GUTTER) - _GUTTER, rows * (height + _GUTTER) - _GUTTER),
        (0, 0, 0, 0),
    )
    for place, pixels in enumerate(images):
        image = Image.fromarray(pixels)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        at = (place % columns * (width + _GUTTER), place // columns * (height + _GUTTER))
        drawn.paste(image, at)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def keep_real(found: Round, source: ImageSource) -> int:
    """Draw the round's real images; how many there are."""
    competition = found.competition
    size = (competition.image_width, competition.image_height)
    return _keep_pool(_real_name(found), source, seed=found.seed, size=size)


def _cell(competition: Competition, columns: int) -> tuple[int, int]:
    """Width and height of one image on a sheet: small images enlarged, large ones made smaller."""
    width, height = competition.image_width, competition.image_height
    longest = max(width, height)
    wanted = min(_LARGEST, _WIDEST // columns, max(longest, _NARROWEST // columns))
    if longest < wanted:  # by a whole factor, so that no image is blurred unevenly
        wanted = longest * (wanted // longest)
    return max(1, round(width * wanted / longest)), max(1, round(height * wanted / longest))


def _shuffled(pixels: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
    """The same pixels in random places: the colours of a real image, and nothing to see."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    return np.random.default_rng(seed).permutation(flat).reshape(pixels.shape)


def _pool_images(item: Item, numbers: list[int]) -> list[NDArray[np.uint8]]:
    name = _pool(item)
    with storage.local(name) as path, zipfile.ZipFile(path) as archive:
        return [decode(archive.read(f"{one:04d}.png"), name=name) for one in numbers]


def _pool(item: Item) -> str:
    """The storage name of an item's images; they are drawn where they are not there yet."""
    if item.kind != ENTRY or item.submission is None:
        return _real_name(item.round)
    name = f"ratings/{item.round.pk}/{item.pk}.zip"
    if not storage.exists(name):
        competition = item.round.competition
        size = (competition.image_width, competition.image_height)
        with ExitStack() as opened:
            path = opened.enter_context(storage.local(item.submission.images_zip))
            source = opened.enter_context(open_images(path))
            _keep_pool(name, source, seed=item.round.seed + item.pk, size=size)
    return name


def _real_name(found: Round) -> str:
    return f"ratings/{found.pk}/real.zip"


def _keep_pool(name: str, source: ImageSource, *, seed: int, size: tuple[int, int]) -> int:
    """Draw up to `POOL` images and keep them as PNGs of `size`; how many there are."""
    entries = [n for n in range(len(source)) if not _stranger(source, n)]
    drawn = random.Random(seed).sample(entries, min(POOL, len(entries)))
    with storage.scratch() as folder:
        path = Path(folder) / "pool.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for number, position in enumerate(drawn):
                pixels = decode(source.content(position), name=source.describe(position))
                archive.writestr(f"{number:04d}.png", _png(_fitted(pixels, size)))
        storage.keep(path, name)
    return len(drawn)


def _stranger(source: ImageSource, position: int) -> bool:
    """Whether an entry is no image by its name."""
    if not source.non_image_count:
        return False
    try:
        source.content(position)
    except InputError:
        return True
    return False


def _fitted(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """The image at `size`: its middle in that shape, resized with antialiasing."""
    image = Image.fromarray(pixels)
    if image.size == size:
        return image
    width, height = image.size
    scale = min(width / size[0], height / size[1])
    cut = (size[0] * scale, size[1] * scale)
    left, top = (width - cut[0]) / 2, (height - cut[1]) / 2
    box = (left, top, left + cut[0], top + cut[1])
    return image.resize(size, Image.Resampling.LANCZOS, box=box)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
