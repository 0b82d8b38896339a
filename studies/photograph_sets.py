"""Photographs for a study: read from folders that a person names, or rendered.

A picture larger than a patch is cut into `cut` × `cut` patches; patches of one picture are a group,
as are the pictures of one first-level folder. Patches without detail (sky, blurred backgrounds) are
left out: nothing in them can be recognized.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from genmem.errors import InputError
from genmem.features import extract, load_backbone
from genmem.images import Progress, decode, open_images
from genmem.images.disguises.values import Pixels

EDGE = 10.0
"""Difference of luminance between neighboring pixels, in levels of 255, that is an edge."""

DETAIL = 0.03
"""Share of edge pixels under which a patch is left out."""


@dataclass(frozen=True)
class Photograph:
    """One image of the study.

    Attributes:
        pixels: uint8 [H, W, 3].
        group: the picture or folder that it is from.
    """

    pixels: Pixels
    group: str


def read_photographs(sources: Sequence[str], *, cut: int, side: int) -> list[Photograph]:
    """The patches of all pictures in some folders or archives.

    Args:
        sources: folders or archives.
        cut: every picture is cut into cut × cut patches.
        side: patches are reduced to this longer side, in pixels.
    """
    photographs = []
    for name in sources:
        with open_images(name) as source:
            for position in range(len(source)):
                try:
                    picture = decode(source.content(position), name=source.id(position))
                except InputError:
                    continue
                path = PurePosixPath(source.id(position))
                group = path.parts[0] if len(path.parts) > 1 else path.stem
                photographs += [Photograph(patch, group) for patch in _cut(picture, cut, side)]
    return photographs


def _cut(picture: Pixels, cut: int, side: int) -> list[Pixels]:
    height, width = picture.shape[0] // cut, picture.shape[1] // cut
    patches = []
    for top in range(0, cut * height, max(1, height)):
        for left in range(0, cut * width, max(1, width)):
            patch = Image.fromarray(picture[top : top + height, left : left + width])
            patch.thumbnail((side, side), Image.Resampling.BICUBIC)
            if _detail(patch) >= DETAIL:
                patches.append(np.array(patch))
    return patches


def _detail(patch: Image.Image) -> float:
    """The share of pixels at edges."""
    gray = np.asarray(patch.convert("L"), np.float32)
    across, down = np.diff(gray, axis=1)[:-1], np.diff(gray, axis=0)[:, :-1]
    return float((np.hypot(across, down) > EDGE).mean()) if across.size else 0.0


def set_apart(
    photographs: Sequence[Photograph], space: str, distance: float, progress: Progress
) -> list[Photograph]:
    """The photographs without those that are nearer than this to an earlier one, in features.

    Patches of one texture are much the same picture; photographs of different subjects are not.
    """
    with open_images([photograph.pixels for photograph in photographs]) as source:
        features = extract(source, extractor=load_backbone(space), progress=progress).array
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    near = 1 - rows @ rows.T < distance
    chosen: list[int] = []
    for row in range(len(photographs)):
        if not near[row, chosen].any():
            chosen.append(row)
    return [photographs[row] for row in chosen]


def render_scenes(count: int, *, size: tuple[int, int] = (400, 300), seed: int) -> list[Photograph]:
    """Scenes of a gradient, shapes with textures and noise; each is a group of its own."""
    return [
        Photograph(_render(size, np.random.default_rng([seed, number])), f"scene {number:05d}")
        for number in range(count)
    ]


def _render(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    width, height = size
    ends = rng.integers(0, 256, (2, 3))
    slope = np.linspace(0, 1, height)[:, None, None]
    ground = np.broadcast_to((1 - slope) * ends[0] + slope * ends[1], (height, width, 3))
    picture = Image.fromarray(ground.astype(np.uint8))
    for _ in range(int(rng.integers(6, 16))):
        mask = Image.new("L", size, 0)
        center, radius = rng.uniform(0, 1, 2) * size, rng.uniform(0.05, 0.3) * width
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 12))))
        reach = radius * rng.uniform(0.5, 1.2, len(angles))
        corners = np.stack(
            [center[0] + reach * np.cos(angles), center[1] + reach * np.sin(angles)], axis=1
        )
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners.tolist()], fill=255)
        picture.paste(_texture(size, rng), mask=mask.filter(ImageFilter.GaussianBlur(1)))
    grain = rng.normal(0, 4, (height, width, 3))
    return np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)


def _texture(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A color with blotches of a random size."""
    width, height = size
    cell = int(rng.integers(3, 40))
    shape = (max(2, height // cell), max(2, width // cell), 3)
    blotches = rng.normal(0, rng.uniform(5, 45), shape) + rng.integers(0, 256, 3)
    coarse = Image.fromarray(np.clip(blotches, 0, 255).astype(np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def encode_image(pixels: Pixels, codec: str, *, quality: int = 90) -> bytes:
    """An image file: "PNG", or "JPEG" or "WEBP" with a quality."""
    file = io.BytesIO()
    options = {"compress_level": 1} if codec == "PNG" else {"quality": quality}
    Image.fromarray(pixels).save(file, format=codec, **options)
    return file.getvalue()
