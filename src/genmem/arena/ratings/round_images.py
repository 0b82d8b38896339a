"""The images of a round: drawn once from each submission, shown as one picture per page.

Up to `MAX_IMAGES` images of every submission are drawn when they are first needed, and stored as a
zip of PNGs, so that a page reads a small file and not the whole submission. All images, real ones
included, are resized to the same size, and each page is encoded as a new PNG: neither size nor file
reveals the source.

The real images are from the *public* training set: raters may be participants, who must not see
anything of the private split.
"""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.ratings.assignment import SPOILED, SUBMISSION
from genmem.arena.ratings.models import Item, Page, Round
from genmem.arena.submissions import storage
from genmem.errors import InputError
from genmem.images import ImageSource, decode, open_images
from genmem.reference.stored_images import open_training_images

MAX_IMAGES = 200
"""Images drawn from each submission."""
_MIN_WIDTH, _MAX_WIDTH, _MAX_CELL, _GAP = 576, 1600, 512, 6
"""Pixels: width of a page's picture, largest cell, gap between cells."""


def page_picture(page: Page) -> bytes:
    """The images of a page as one PNG: a square grid with gaps."""
    item, competition = page.item, page.rater.round.competition
    if item.kind == SPOILED and page.question == "diversity":
        images = _images(item, page.images[:1]) * len(page.images)
    else:
        images = _images(item, page.images)
    if item.kind == SPOILED and page.question == "quality":
        images = [_shuffle_pixels(pixels, seed=page.pk) for pixels in images]
    columns = page.rater.round.grid_size(page.question)
    width, height = _cell_size(competition, columns)
    rows = -(-len(images) // columns)
    picture = Image.new(
        "RGBA", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP), (0, 0, 0, 0)
    )
    for position, pixels in enumerate(images):
        image = Image.fromarray(pixels)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        row, column = divmod(position, columns)
        picture.paste(image, (column * (width + _GAP), row * (height + _GAP)))
    return _png(picture, compress_level=3)


def store_real_images(rating_round: Round) -> int:
    """Draw and store the real images of a round: training images of the public split.

    Returns:
        How many there are.

    Raises:
        InputError: there is no public split, or its images cannot be read.
    """
    split = split_in_force(rating_round.competition, "public")
    if split is None:
        raise InputError("there is no public split yet, and so no training images")
    with open_training_images(split.train) as source:
        return _store(_real_name(rating_round), source, rating_round, seed=rating_round.seed)


def _cell_size(competition: Competition, columns: int) -> tuple[int, int]:
    """Width and height of one image in the grid: small images are enlarged, large ones reduced."""
    width, height = competition.image_width, competition.image_height
    longest = max(width, height)
    cell = min(_MAX_CELL, _MAX_WIDTH // columns, max(longest, _MIN_WIDTH // columns))
    if longest < cell:  # by an integer factor, so that no image is blurred unevenly
        cell = longest * (cell // longest)
    return max(1, round(width * cell / longest)), max(1, round(height * cell / longest))


def _shuffle_pixels(pixels: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
    """The pixels in random places: the colors of a real image, but no content."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    return np.random.default_rng(seed).permutation(flat).reshape(pixels.shape)


def _images(item: Item, numbers: list[int]) -> list[NDArray[np.uint8]]:
    """Some of an item's stored images; they are drawn first if they are not stored yet."""
    name, submission = _real_name(item.round), item.submission
    if item.kind == SUBMISSION and submission is not None:
        name = f"ratings/{item.round.pk}/{item.pk}.zip"
        if not storage.exists(name):
            with ExitStack() as stack:
                path = stack.enter_context(storage.local(submission.images_zip))
                source = stack.enter_context(open_images(path))
                _store(name, source, item.round, seed=item.round.seed + item.pk)
    with storage.local(name) as path, zipfile.ZipFile(path) as archive:
        return [decode(archive.read(f"{number:04d}.png"), name=name) for number in numbers]


def _real_name(rating_round: Round) -> str:
    return f"ratings/{rating_round.pk}/real.zip"


def _store(name: str, source: ImageSource, rating_round: Round, *, seed: int) -> int:
    """Draw up to `MAX_IMAGES` images and store them as PNGs of one size. Returns how many."""
    competition = rating_round.competition
    size = (competition.image_width, competition.image_height)
    positions = [n for n in range(len(source)) if _is_image(source, n)]
    drawn = random.Random(seed).sample(positions, min(MAX_IMAGES, len(positions)))
    with storage.scratch_folder() as folder:
        path = folder / "images.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for number, position in enumerate(drawn):
                pixels = decode(source.content(position), name=source.describe(position))
                image = _resize(pixels, size)
                archive.writestr(f"{number:04d}.png", _png(image, compress_level=1))
        storage.store_file(path, name)
    return len(drawn)


def _is_image(source: ImageSource, position: int) -> bool:
    """Whether an entry is an image by its name."""
    if not source.non_image_count:
        return True
    try:
        source.content(position)
    except InputError:
        return False
    return True


def _resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Crop the middle of an image to the shape of `size`, and resize it with antialiasing."""
    image = Image.fromarray(pixels)
    if image.size == size:
        return image
    width, height = image.size
    scale = min(width / size[0], height / size[1])
    crop_width, crop_height = size[0] * scale, size[1] * scale
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    box = (left, top, left + crop_width, top + crop_height)
    return image.resize(size, Image.Resampling.LANCZOS, box=box)


def _png(image: Image.Image, *, compress_level: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()
