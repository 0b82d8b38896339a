"""Near-duplicates of photographs: pairs found by `genmem duplicates` and by imagededup's hashes.

    python -m studies.duplicates --data FOLDER_OR_ZIP [--originals N] [--write docs/duplicates.md]

Like imagededup's benchmark of transformed images (UKBench): each original stands in the set with
its transformed copies, beside photographs that are not copied. A pair is right where both images
come from one original. Needs the extras `local` and `peers`.
"""

from __future__ import annotations

import argparse
import datetime
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from genmem.deduplication import duplicates
from genmem.images import decode, open_images
from genmem.io.atomic import atomic_write

Pair = frozenset[str]

QUALITY = 92
READING = "## Reading"
"""First line of the hand-written part of the page, which is kept."""


def _cropped(image: Image.Image, part: float) -> Image.Image:
    width, height = image.size
    left, top = 0.4 * (1 - part) * width, 0.7 * (1 - part) * height
    return image.crop((int(left), int(top), int(left + part * width), int(top + part * height)))


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def _noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


TRANSFORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 20": lambda image: _compressed(image, 20),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "squeezed by 20 %": lambda image: image.resize((int(image.width * 0.8), image.height)),
    "cropped to 80 %": lambda image: _cropped(image, 0.8),
    "cropped to 60 %": lambda image: _cropped(image, 0.6),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "rotated by 25°": lambda image: image.rotate(25),
    "gray": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.4),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "noisy": _noisy,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one method found.

    Attributes:
        name: of the method.
        pairs: the pairs.
        seconds: it took.
    """

    name: str
    pairs: set[Pair]
    seconds: float


def write_set(photographs: list[Image.Image], originals: int, folder: Path) -> None:
    """Write originals with their transformed copies, and the other photographs.

    Args:
        photographs: all of them, in random order.
        originals: how many have copies.
        folder: gets the files `NUMBER--TRANSFORM.jpg`.
    """
    for number, image in enumerate(photographs):
        image.save(folder / f"{number:04d}--original.jpg", quality=QUALITY)
        if number < originals:
            for name, change in TRANSFORMS.items():
                change(image).save(folder / f"{number:04d}--{_slug(name)}.jpg", quality=QUALITY)


def _slug(name: str) -> str:
    return name.replace(" ", "-").replace("%", "percent").replace("°", "deg")


def true_pairs(folder: Path) -> set[Pair]:
    """All pairs of files of one original."""
    by_original: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        by_original.setdefault(path.name.split("--")[0], []).append(path.name)
    return {frozenset(pair) for names in by_original.values() for pair in combinations(names, 2)}


def run_genmem(folder: Path, *, local: bool) -> list[Outcome]:
    """The pairs of images in one cluster; with regions, also those with parts of each other."""
    started = time.perf_counter()
    with duplicates(folder, local=local) as result:
        pairs = {
            frozenset((result.images[a].id, result.images[b].id))
            for cluster in result.clusters
            for a, b in combinations(cluster.rows, 2)
        }
    seconds = time.perf_counter() - started
    for match in result.matches:
        names = (result.images[match.first].id, result.images[match.second].id)
        if names[0].split("--")[0] != names[1].split("--")[0]:
            print("wrong:", *names, match, file=sys.stderr)
    if not local:
        return [Outcome(name="genmem duplicates --no-regions", pairs=pairs, seconds=seconds)]
    parts = {
        frozenset((result.images[match.first].id, result.images[match.second].id))
        for match in result.matches
    }
    return [
        Outcome(name="genmem duplicates", pairs=pairs, seconds=seconds),
        Outcome(name="genmem duplicates, parts too", pairs=pairs | parts, seconds=seconds),
    ]


def run_hash(folder: Path, name: str, threshold: int) -> Outcome:
    """The pairs of one of imagededup's hashes.

    Args:
        folder: of the images.
        name: "PHash", "DHash", "WHash" or "AHash".
        threshold: largest Hamming distance of a pair; imagededup's default is 10.
    """
    from imagededup import methods

    started = time.perf_counter()
    method = getattr(methods, name)(verbose=False)
    codes = method.encode_images(image_dir=folder, num_enc_workers=0)
    matches = method.find_duplicates(
        encoding_map=codes, max_distance_threshold=threshold, num_dist_workers=0
    )
    pairs = {frozenset((first, other)) for first, repeats in matches.items() for other in repeats}
    seconds = time.perf_counter() - started
    return Outcome(name=f"imagededup {name}, distance ≤ {threshold}", pairs=pairs, seconds=seconds)


def table(outcomes: list[Outcome], truth: set[Pair]) -> list[str]:
    """Precision and recall of pairs, and recall of original and copy, in Markdown."""
    lines = [
        "| method | precision of pairs | recall of pairs | wrong pairs | seconds |",
        "|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        right = len(outcome.pairs & truth)
        precision = f"{right / len(outcome.pairs):.3f}" if outcome.pairs else "–"
        lines.append(
            f"| {outcome.name} | {precision} | {right / len(truth):.3f} | "
            f"{len(outcome.pairs) - right:,} | {outcome.seconds:.0f} |"
        )
    return lines


def recall_table(outcomes: list[Outcome], originals: int) -> list[str]:
    """Recall of the pair of the original and its copy, by transformation."""
    lines = [
        f"| transformation | {' | '.join(outcome.name for outcome in outcomes)} |",
        f"|---|{'---|' * len(outcomes)}",
    ]
    for name in TRANSFORMS:
        cells = []
        for outcome in outcomes:
            pairs = [
                frozenset((f"{number:04d}--original.jpg", f"{number:04d}--{_slug(name)}.jpg"))
                for number in range(originals)
            ]
            cells.append(f"{sum(pair in outcome.pairs for pair in pairs) / originals:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Run the study and print its tables, or write them above the page's reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--originals", type=int, default=40)
    parser.add_argument("--others", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of photographs")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    with open_images(arguments.data) as source:
        order = np.random.default_rng(arguments.seed).permutation(len(source))
        chosen = order[: arguments.originals + arguments.others].tolist()
        photographs = [
            Image.fromarray(decode(source.content(row), name=source.describe(row)))
            for row in chosen
        ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_set(photographs, arguments.originals, folder)
        truth = true_pairs(folder)
        outcomes = [*run_genmem(folder, local=True), *run_genmem(folder, local=False)]
        hashes = (("PHash", 10), ("PHash", 20), ("DHash", 10), ("WHash", 10), ("AHash", 10))
        outcomes += [run_hash(folder, *method) for method in hashes]
        files = Counter(path.name.split("--")[1] for path in folder.iterdir())
    text = "\n".join(
        [
            f"`python -m studies.duplicates`, {datetime.date.today()}: {files['original.jpg']} "
            f"photographs, {arguments.originals} of them with {len(TRANSFORMS)} transformed copies "
            f"each: {files.total()} files, {len(truth):,} pairs of one original. Seconds on a "
            "busy machine, networks and keypoints included.",
            "",
            *table(outcomes, truth),
            "",
            "Original and copy found as a pair, by transformation:",
            "",
            *recall_table(outcomes, arguments.originals),
        ]
    )
    print(text)
    if arguments.write:
        page = arguments.write.read_text() if arguments.write.exists() else READING
        head = page[: page.index("\n\n") + 2] if page.startswith("# ") else ""
        with atomic_write(arguments.write) as file:
            file.write((head + text + "\n\n" + page[page.index(READING) :]).encode())


if __name__ == "__main__":
    main()
