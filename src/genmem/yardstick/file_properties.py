"""Properties of stored images: are two sets stored the same way?

A codec, a scanner or a resize leaves its mark on features. Where training images bear a mark that
held-out images do not, generated images that learned it are closer to training images than held-out
ones are, without copying any. Distributions are compared, so that mixed sizes within a set are no
difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from genmem.errors import InputError
from genmem.formatting import join_words, number, share
from genmem.images import ImageSource, decode
from genmem.images.formats import image_format, open_header
from genmem.images.prefetch import map_in_order, usable_cores
from genmem.results import Json, to_json

IMAGES = 200
"""Images of each set that are looked at: a seeded sample where there are more."""

SIGNIFICANT = 0.001
"""Two honest sets differ in one of the properties by chance about once in 100 comparisons, and then
still rarely as much as below."""

SHARE_DIFFERS = 0.25
"""Formats and modes differ where this share of one set would have to be stored another way."""

ORDER_DIFFERS = 0.5
"""Numbers differ where their distributions are this far apart at one value (Kolmogorov–Smirnov)."""

FEWEST = 10
"""Images of each set that say something about the set."""

HIGH_QUALITY = 90
"""JPEG of this quality hardly differs from lossless images in features and in small pixels."""

QUALITY_DIFFERS = 10
"""JPEG qualities whose medians are closer are alike."""

FACTOR_DIFFERS = 1.2
"""Sizes and noise floors whose medians differ by a smaller factor are alike."""

LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "PNM", "GIF", "pixels"})
"""Formats that leave no mark of their own."""


@dataclass(frozen=True, kw_only=True)
class FileProperties:
    """Properties of one stored image.

    Attributes:
        format: "JPEG", "PNG", …; "pixels" for an array.
        quality: of a JPEG, 1 to 100, the one of the standard tables that is nearest to its own.
        subsampling: of a JPEG's chroma, "4:4:4", "4:2:2" or "4:2:0".
        mode: "gray", "color" or "color with alpha".
        pixels: width times height.
        aspect: width over height.
        noise: standard deviation of the noise floor, in gray levels of 255.
        blocks: how much larger steps between pixels are across the borders of 8 × 8 blocks than
            elsewhere: 1 without traces of JPEG.
    """

    format: str
    quality: int | None
    subsampling: str | None
    mode: str
    pixels: int
    aspect: float
    noise: float
    blocks: float


@dataclass(frozen=True, kw_only=True)
class FileDifferences:
    """Differences between two sets of stored images.

    Attributes:
        differs: in a property that features can bear a mark of.
        clauses: on each such difference.
        minor: clauses on differences that are hardly ever seen in features: JPEG of a quality from
            `HIGH_QUALITY` on beside lossless formats.
        first, second: images looked at.
    """

    differs: bool
    clauses: tuple[str, ...]
    minor: tuple[str, ...]
    first: int
    second: int

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON."""
        return to_json(asdict(self))


def read_properties(source: ImageSource, *, seed: int = 0) -> list[FileProperties]:
    """The properties of a seeded sample of images; broken ones are left out.

    Args:
        source: the stored images.
        seed: of the sample.
    """
    count = len(source)
    positions = np.arange(count)
    if count > IMAGES:
        positions = np.sort(np.random.default_rng(seed).choice(count, IMAGES, replace=False))
    workers = usable_cores()
    described = map_in_order(
        lambda position: _describe(source, position),
        positions.tolist(),
        workers=workers,
        ahead=4 * workers,
    )
    return [properties for properties in described if properties is not None]


def compare_files(
    first: Sequence[FileProperties],
    second: Sequence[FileProperties],
    *,
    names: tuple[str, str] = ("training", "held-out"),
) -> FileDifferences:
    """Compare the properties of two sets.

    Args:
        first: of the first set.
        second: of the second set.
        names: what images of each set are called in the clauses.
    """
    clauses: list[str] = []
    minor: list[str] = []
    if min(len(first), len(second)) >= FEWEST:
        if clause := _formats(first, second, names):
            hardly_lossy = all(_is_hardly_lossy(images) for images in (first, second))
            (minor if hardly_lossy else clauses).append(clause)
        elif clause := _blocks(first, second, names):
            clauses.append(clause)
        if clause := _noise(first, second, names):
            (minor if minor else clauses).append(clause)  # a codec of high quality takes some noise
        others = (compare(first, second, names) for compare in (_modes, _sizes, _aspects))
        clauses += filter(None, others)
    return FileDifferences(
        differs=bool(clauses),
        clauses=tuple(clauses),
        minor=tuple(minor),
        first=len(first),
        second=len(second),
    )


def _describe(source: ImageSource, position: int) -> FileProperties | None:
    try:
        content = source.content(position)
        pixels = decode(content, name=source.describe(position))
    except InputError:
        return None  # reported when features are extracted
    quality = subsampling = None
    stored, mode = "pixels", "color"
    if isinstance(content, bytes):
        stored = image_format(content) or "unknown"
        header = open_header(content)
        mode = _mode(header.mode)
        if isinstance(header, JpegImagePlugin.JpegImageFile):
            quality, subsampling = _jpeg_quality(header), _SUBSAMPLING.get(_sampling(header))
    elif content.ndim == 2 or content.shape[2] == 1:
        mode = "gray"
    height, width = pixels.shape[:2]
    gray = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return FileProperties(
        format=stored,
        quality=quality,
        subsampling=subsampling,
        mode=mode,
        pixels=height * width,
        aspect=width / height,
        noise=_noise_floor(gray),
        blocks=_block_traces(gray),
    )


_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def _sampling(header: JpegImagePlugin.JpegImageFile) -> int:
    return JpegImagePlugin.get_sampling(header)


def _mode(mode: str) -> str:
    if mode in ("1", "L", "I", "F") or mode.startswith("I;16"):
        return "gray"
    return "color with alpha" if mode in ("RGBA", "LA", "PA", "RGBa", "La") else "color"


_LUMINANCE = np.array(
    # The standard luminance table, quality 50 (ITU-T T.81, table K.1), by row.
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)


def _jpeg_quality(header: JpegImagePlugin.JpegImageFile) -> int | None:
    """The quality whose standard luminance table is nearest in sum; libjpeg's scale."""
    table = header.quantization.get(0)
    if table is None:
        return None
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = np.clip((_LUMINANCE[None] * scale[:, None] + 50) // 100, 1, 255)
    return int(qualities[np.abs(tables.sum(axis=1) - sum(table)).argmin()])


def _noise_floor(gray: NDArray[np.float32]) -> float:
    """σ = √(π/2) · Σ |I ∗ N| / (6 (W − 2)(H − 2)).

    Immerkær 1996, "Fast noise variance estimation". N is the difference of two Laplacians, which
    flat and evenly sloping regions do not excite; texture does, so it errs upward.
    """
    if min(gray.shape) < 8:
        return 0.0
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    response = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    return float(np.sqrt(np.pi / 2) / 6 * response.mean())


def _block_traces(gray: NDArray[np.float32]) -> float:
    """Mean step across the borders of 8 × 8 blocks, over the mean step elsewhere."""
    border = inside = 0.0
    for image in (gray, gray.T):
        if image.shape[1] < 24:
            return 1.0
        steps = np.abs(np.diff(image, axis=1)).mean(axis=0)
        at_border = np.arange(1, len(steps) + 1) % 8 == 0
        border += float(steps[at_border].mean())
        inside += float(steps[~at_border].mean())
    return border / inside if inside > 0 else 1.0


Compared = Sequence[FileProperties]
Names = tuple[str, str]


def _formats(first: Compared, second: Compared, names: Names) -> str:
    """Formats, or the qualities and chroma of two sets of JPEGs."""
    kinds = [[_kind(image) for image in images] for images in (first, second)]
    if _shares_differ(*kinds):
        described = [_format_words(images) for images in (first, second)]
        return _sentence(names, described)
    jpegs = [[i for i in images if i.quality is not None] for images in (first, second)]
    if min(map(len, jpegs)) < 10:
        return ""
    qualities = [np.array([float(image.quality or 0) for image in images]) for images in jpegs]
    medians = [float(np.median(values)) for values in qualities]
    if abs(medians[0] - medians[1]) >= QUALITY_DIFFERS and _numbers_differ(*qualities):
        return _sentence(names, [f"JPEG (quality about {median:.0f})" for median in medians])
    chroma = [[str(image.subsampling) for image in images] for images in jpegs]
    if _shares_differ(*chroma):
        commonest = [Counter(values).most_common(1)[0][0] for values in chroma]
        if commonest[0] != commonest[1]:
            return _sentence(names, [f"JPEG with chroma {value}" for value in commonest])
    return ""


def _kind(image: FileProperties) -> str:
    return "lossless" if image.format in LOSSLESS else image.format


def _is_hardly_lossy(images: Compared) -> bool:
    """Whether all but a few images are lossless, or JPEG of high quality."""
    lossy = sum(
        _kind(image) != "lossless" and (image.quality or 0) < HIGH_QUALITY for image in images
    )
    return lossy <= 0.05 * len(images)


def _format_words(images: Compared) -> str:
    """`JPEG (quality about 20)`, or the shares of the commonest formats."""
    counts = Counter(image.format for image in images).most_common(3)
    words = []
    for name, count in counts:
        word = name
        if name == "JPEG":
            qualities = [image.quality for image in images if image.quality is not None]
            word = f"JPEG (quality about {np.median(qualities):.0f})" if qualities else word
        words.append(word if count == len(images) else f"{share(count / len(images))} {word}")
    return join_words(words)


def _modes(first: Compared, second: Compared, names: Names) -> str:
    modes = [["gray" if i.mode == "gray" else "color" for i in s] for s in (first, second)]
    if not _shares_differ(*modes):
        return ""
    grays = [values.count("gray") / len(values) for values in modes]
    return _sentence(names, [f"gray to {share(value)}" for value in grays])


def _sizes(first: Compared, second: Compared, names: Names) -> str:
    return _factor(
        lambda image: float(image.pixels) ** 0.5,
        (first, second),
        names,
        lambda value: f"about {value:.0f} × {value:.0f} pixels large",
    )


def _aspects(first: Compared, second: Compared, names: Names) -> str:
    return _factor(
        lambda image: image.aspect,
        (first, second),
        names,
        lambda value: f"about {number(round(value, 2))} times as wide as high",
    )


def _noise(first: Compared, second: Compared, names: Names) -> str:
    return _factor(
        lambda image: max(image.noise, 0.05),
        (first, second),
        names,
        lambda value: f"a noise floor of about {number(round(value, 1))} of 255",
        factor=NOISE_DIFFERS,
        verb="have",
    )


NOISE_DIFFERS = 1.5
"""Scenes differ in their noise floor too, so the medians must differ by more than this factor."""

BLOCKS_DIFFER = 0.2
"""Traces of JPEG blocks whose medians are closer are alike."""


def _blocks(first: Compared, second: Compared, names: Names) -> str:
    """Traces of JPEG in images that are stored otherwise: both lossless, or both JPEG."""
    traces = [np.array([image.blocks for image in images]) for images in (first, second)]
    medians = [float(np.median(values)) for values in traces]
    if abs(medians[0] - medians[1]) < BLOCKS_DIFFER or not _numbers_differ(*traces):
        return ""
    stronger, weaker = names if medians[0] > medians[1] else names[::-1]
    return f"{stronger} images bear traces of JPEG compression that {weaker} images lack"


def _factor(
    value: Callable[[FileProperties], float],
    sets: tuple[Compared, Compared],
    names: Names,
    words: Callable[[float], str],
    *,
    factor: float = FACTOR_DIFFERS,
    verb: str = "are",
) -> str:
    """A clause where the medians of a positive number differ by a factor, and significantly."""
    values = [np.array([value(image) for image in images]) for images in sets]
    medians = [float(np.median(numbers)) for numbers in values]
    if max(medians) < factor * min(medians) or not _numbers_differ(*values):
        return ""
    return _sentence(names, [words(median) for median in medians], verb=verb)


def _sentence(names: Names, described: Sequence[str], *, verb: str = "are") -> str:
    return f"{names[0]} images {verb} {described[0]}, {names[1]} images {described[1]}"


def _shares_differ(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two lists of names differ, by a large share and beyond chance (χ² test)."""
    kinds = sorted({*first, *second})
    if len(kinds) == 1:
        return False
    table = np.array([[values.count(kind) for kind in kinds] for values in (first, second)])
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    if distance < SHARE_DIFFERS:
        return False
    from scipy.stats import chi2_contingency  # takes seconds to import, so only where it decides

    test: Any = chi2_contingency(table)
    return bool(test.pvalue <= SIGNIFICANT)


def _numbers_differ(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether two distributions differ, widely and beyond chance (Kolmogorov–Smirnov)."""
    if largest_gap(first, second) < ORDER_DIFFERS - 1e-9:  # SciPy rounds otherwise
        return False
    from scipy.stats import ks_2samp  # takes seconds to import, so only where it decides

    test: Any = ks_2samp(first, second)
    return bool(test.statistic >= ORDER_DIFFERS and test.pvalue <= SIGNIFICANT)


def largest_gap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Kolmogorov and Smirnov's statistic: the largest difference of the distribution functions.

    Args:
        first: numbers, [n].
        second: numbers, [m].
    """
    places = np.concatenate([first, second])
    below = [
        np.searchsorted(np.sort(values), places, side="right") / len(values)
        for values in (first, second)
    ]
    return float(np.abs(below[0] - below[1]).max())
