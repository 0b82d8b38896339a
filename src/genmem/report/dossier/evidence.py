"""The pairs of a dossier: both pictures, and the difference of the two."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from genmem.errors import InputError
from genmem.formatting import number, printable, share
from genmem.images.augmentations import AUGMENTATIONS, Augmentation
from genmem.report.audit.images import FOLDER
from genmem.report.audit.regions import Corners, SharedRegion
from genmem.report.audit.stored_pairs import StoredPair
from genmem.report.common.images import SMALL, Picture, data_uri, png_of
from genmem.report.dossier.method import lay_name
from genmem.report.dossier.stored_audit import StoredAudit

SHOWN = 100
"""Flagged pairs with pictures, the most suspicious first; the tables list all."""

NEAREST = 6
"""Unflagged pairs with pictures."""

SIDE = 400
"""Longest side of a picture in the document, in pixels."""

BRIGHTER = 4
"""The difference is shown so many times brighter."""

MARKS = {"copy": "a copy", "not-a-copy": "not a copy", "unsure": "unsure"}
"""Marks of reviewers, and how they read."""

OUTLINE = ("#10131a", "#ffd23f")
"""Colors of a region's outline, outside and inside."""

OUTSIDE = "#8a9096"
"""Color outside the region in the picture of the difference."""

_QUALITY = 88
_BY_NAME = {item.name: item for group in AUGMENTATIONS.values() for item in group}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One pair, as text and pictures.

    Attributes:
        place: its number in the document, from 1.
        generated, train: the names of the two images.
        facts: labels and values.
        pictures: generated image, training image as it was matched, difference.
        mark: the reviewer's mark; empty without one.
    """

    place: int
    generated: str
    train: str
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]
    mark: str = ""


def evidence_of(
    audit: StoredAudit, pairs: Sequence[StoredPair], marks: Mapping[int, str]
) -> list[Evidence]:
    """These pairs with their pictures.

    Args:
        audit: the folder.
        pairs: the pairs to show.
        marks: a mark of `MARKS` by row of the generated image.

    Raises:
        InputError: a picture of the folder is missing or damaged.
    """
    return [
        Evidence(
            place=place,
            generated=printable(pair.generated),
            train=printable(pair.train),
            facts=_facts(pair, audit),
            pictures=_pictures(audit.folder, pair),
            mark=MARKS.get(marks.get(pair.row, ""), ""),
        )
        for place, pair in enumerate(pairs, 1)
    ]


def _facts(pair: StoredPair, audit: StoredAudit) -> tuple[tuple[str, str], ...]:
    """Labels and values; probabilities only if held-out images can be compared with."""
    changed = _augmentation(pair)
    least = pair.p_value <= float(audit.numbers["min_p_value"])
    smallest = ", the smallest that so few honest images can show" if least else ""
    chances = (
        ("Chance that an honest image is as close", f"{chance(pair.p_value)}{smallest}"),
        ("q", number(pair.q_value)),
    )
    return (
        ("Matched by", lay_name(pair.space)),
        *((("Training image was", changed.phrase),) if changed else ()),
        *((("Class", printable(pair.category)),) if pair.category else ()),
        *(chances if audit.verdict.comparable else ()),
        *((("Shared region", _areas(pair.region)),) if pair.region else ()),
        ("Row in the tables", f"{pair.row + 1:,}"),
    )


def _areas(region: SharedRegion) -> str:
    """How much of both pictures a region covers."""
    generated, train = (share(area(corners)) for corners in (region.generated, region.train))
    return f"{generated} of the generated image, {train} of the training image"


def area(corners: Corners) -> float:
    """The area of a polygon: half the sum of x_i y_{i+1} − x_{i+1} y_i (shoelace formula)."""
    following = (*corners[1:], *corners[:1])
    sides = zip(corners, following, strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in sides)) / 2


def chance(p_value: float) -> str:
    """A small probability in lay words: `about 1 in 260`."""
    if p_value < 1e-6:
        return "less than 1 in a million"
    if p_value > 0.1:
        return f"about {100 * p_value:.0f} in 100"
    return (
        f"about 1 in {1 / p_value:,.0f}"
        if p_value > 1e-3
        else f"about 1 in {float(f'{1 / p_value:.2g}'):,.0f}"
    )


def _augmentation(pair: StoredPair) -> Augmentation | None:
    """How the training image was changed before it was matched; None if it was not."""
    return _BY_NAME.get(pair.augmentation)


def _pictures(folder: Path, pair: StoredPair) -> tuple[Picture, ...]:
    if pair.generated_picture is None or pair.train_picture is None:
        return ()
    generated = _read(folder, pair.generated_picture)
    train = _read(folder, pair.train_picture)
    if pair.region is not None:
        return _region_pictures(generated, train, pair, pair.region)
    changed = _augmentation(pair)
    matched = Image.fromarray(changed.apply(np.asarray(train))) if changed else train
    how = f"Training image, {changed.phrase}" if changed else "Training image"
    return (
        _picture(generated, "Generated image", printable(pair.generated)),
        _picture(matched, how, printable(pair.train)),
        _picture(
            Image.fromarray(difference(np.asarray(generated), matched)),
            "Difference",
            "black where the two agree",
        ),
    )


def _region_pictures(
    generated: Image.Image, train: Image.Image, pair: StoredPair, region: SharedRegion
) -> tuple[Picture, ...]:
    """The two pictures with the shared region outlined, and their difference within it."""
    laid_over = lay_over(train, generated.size, region)
    apart = Image.fromarray(difference(np.asarray(generated), laid_over))
    inside = Image.new("L", generated.size)
    ImageDraw.Draw(inside).polygon(_in_pixels(region.generated, generated.size), fill=255)
    apart = Image.composite(apart, Image.new("RGB", generated.size, OUTSIDE), inside)
    return (
        _picture(
            _outlined(generated, region.generated), "Generated image", printable(pair.generated)
        ),
        _picture(_outlined(train, region.train), "Training image", printable(pair.train)),
        _picture(apart, "Difference in the region", "black where the two agree"),
    )


def lay_over(train: Image.Image, size: tuple[int, int], region: SharedRegion) -> Image.Image:
    """The training image as it lies in the generated one, by the region's affine map.

    Args:
        train: the training image, at any size.
        size: width and height of the result.
        region: whose map takes shares of the result's sides to shares of the training image's.
    """
    (a, b, c), (d, e, f) = region.to_train
    (width, height), (wide, high) = size, train.size
    numbers = (
        *(a * wide / width, b * wide / height, c * wide),
        *(d * high / width, e * high / height, f * high),
    )
    return train.transform(size, Image.Transform.AFFINE, numbers, Image.Resampling.BICUBIC)


def _outlined(image: Image.Image, corners: Corners) -> Image.Image:
    """A copy of the picture with the region's outline, light on dark: seen on any ground."""
    drawn = image.copy()
    points = _in_pixels(corners, image.size)
    width = max(1, round(max(image.size) / 130))
    for color, thick in zip(OUTLINE, (3 * width, width), strict=True):
        ImageDraw.Draw(drawn).line([*points, *points[:2]], fill=color, width=thick, joint="curve")
    return drawn


def _in_pixels(corners: Corners, size: tuple[int, int]) -> list[tuple[float, float]]:
    return [(x * (size[0] - 1), y * (size[1] - 1)) for x, y in corners]


def difference(generated: NDArray[np.uint8], train: Image.Image) -> NDArray[np.uint8]:
    """The absolute difference of two pictures, `BRIGHTER` times as bright.

    Args:
        generated: uint8 [H, W, 3].
        train: of any size; stretched to that of the generated picture.

    Returns:
        uint8 [H, W, 3].
    """
    height, width = generated.shape[:2]
    stretched = train
    if train.size != (width, height):
        stretched = train.resize((width, height), Image.Resampling.BICUBIC)
    apart = np.abs(generated.astype(np.int16) - np.asarray(stretched, np.int16))
    return np.minimum(apart * BRIGHTER, 255).astype(np.uint8)


def _read(folder: Path, name: str) -> Image.Image:
    """A picture of the audit's folder, and of no other."""
    path = folder / name
    if not path.resolve().is_relative_to((folder / FOLDER).resolve()):
        raise InputError(f"{path} is a link out of the folder {FOLDER}; run `genmem audit` again.")
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(
            f"cannot read the picture {path}: the audit's folder is incomplete; run `genmem audit` "
            "again."
        ) from error
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture


def _picture(image: Image.Image, title: str, name: str) -> Picture:
    """A picture for the page: small ones without loss, others as JPEG."""
    width, height = image.size
    if max(width, height) <= SMALL:
        uri = data_uri(png_of(np.asarray(image).transpose(2, 0, 1)))
    else:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
        uri = data_uri(file.getvalue(), "jpeg")
    return Picture(uri=uri, width=width, height=height, alt=f"{title}: {name}", caption=(title,))
