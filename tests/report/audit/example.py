"""Audits as `genmem.audit` makes them, of any size, with real CIFAR images where they are."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from genmem.auditing.results import Audit
from genmem.auditing.space_results import Duplicates, NullSample, SpaceResult
from genmem.images.augmentations import Augmentation, parse_augmentations
from genmem.results import InputSummary, Interval, Result

ROOT = Path(__file__).parents[2]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
POOL = 400
"""Different pictures; larger sets show them again."""


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def real_pictures(archive: str, count: int) -> np.ndarray:
    """uint8 [count, 32, 32, 3] of CIFAR-10, class after class; color ramps where it is missing."""
    data = ROOT / os.environ.get("GENMEM_TEST_DATA", "../shared/data")
    if not (data / "cifar10" / archive).exists():
        ramp = np.linspace(0, 255, 32).astype(np.uint8)
        rows = [np.roll(ramp, shift)[:, None] // 2 + ramp[::-1] // 4 for shift in range(count)]
        return np.repeat(np.stack(rows)[..., None], 3, axis=3)
    with zipfile.ZipFile(data / "cifar10" / archive) as zipped:
        names = sorted(name for name in zipped.namelist() if name.endswith(".jpg"))
        step = len(names) // count
        opened = (Image.open(io.BytesIO(zipped.read(name))) for name in names[::step][:count])
        return np.stack([np.asarray(image.convert("RGB")) for image in opened])


class ExamplePictures:
    """The pictures behind an example: copies are changed a little, honest images are others."""

    def __init__(
        self, *, sources: np.ndarray, forms: list[Augmentation | None], train: int
    ) -> None:
        self.sources, self.forms, self.size = sources, forms, train
        self.train_pool = real_pictures("train.zip", POOL)
        self.test_pool = real_pictures("test.zip", POOL)
        self.cache: dict[tuple[str, int], bytes] = {}
        self.closed = False

    def train(self, row: int, size: int | None = None) -> bytes:
        return self._cached("train", self.train_pool, self._place(row))

    def test(self, row: int, size: int | None = None) -> bytes:
        """Held-out image i repeats training image 5 i."""
        return self.train(5 * row)

    def generated(self, row: int, size: int | None = None) -> bytes:
        form = self.forms[row]
        if form is None:
            return self._cached("test", self.test_pool, row * 7 + 3)
        pixels = form.apply(self.train_pool[self._place(int(self.sources[row]))])
        noise = np.random.default_rng(row).normal(0, 4, pixels.shape)
        return encoded(np.clip(pixels + noise, 0, 255).astype(np.uint8))

    def close(self) -> None:
        self.closed = True

    def _place(self, row: int) -> int:
        """A picture of the row's class: both stand in the order of classes."""
        return row * POOL // self.size

    def _cached(self, kind: str, pool: np.ndarray, row: int) -> bytes:
        key = (kind, row % POOL)
        if key not in self.cache:
            self.cache[key] = encoded(pool[row % POOL])
        return self.cache[key]


class LargePictures(ExamplePictures):
    """The same at 240 × 180, as WebP."""

    def train(self, row: int, size: int | None = None) -> bytes:
        return self._large(super().train(row))

    def test(self, row: int, size: int | None = None) -> bytes:
        return self._large(super().test(row))

    def generated(self, row: int, size: int | None = None) -> bytes:
        return self._large(super().generated(row))

    def _large(self, content: bytes) -> bytes:
        image = Image.open(io.BytesIO(content)).crop((0, 4, 32, 28))
        image = image.resize((240, 180), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur)
        return encoded(np.asarray(image), "WEBP")


class FullPictures(LargePictures):
    """The same as thumbnails of 240 × 180, with full pictures of 480 × 360."""

    def train(self, row: int, size: int | None = None) -> bytes:
        return self._full(super().train(row), size)

    def test(self, row: int, size: int | None = None) -> bytes:
        return self._full(super().test(row), size)

    def generated(self, row: int, size: int | None = None) -> bytes:
        return self._full(super().generated(row), size)

    def _full(self, content: bytes, size: int | None) -> bytes:
        if size is None:
            return content
        image = Image.open(io.BytesIO(content)).resize((480, 360))
        return encoded(np.asarray(image), "WEBP")


def build_audit(
    count: int = 300,
    *,
    train: int = 1000,
    names: tuple[str, ...] = ("efficientnet-lite0", "pixels"),
    k: int = 5,
    copies: float = 0.05,
    families: tuple[str, ...] = ("flip", "crops"),
    classes: bool = True,
    test: bool = True,
    pictures: type[ExamplePictures] | None = ExamplePictures,
    level: float = 0.05,
    seed: int = 0,
) -> Audit:
    """An audit of `count` images, the share `copies` of them copied from training images.

    Every second copy is transformed, and the last named space tells most of every third.
    """
    rng = np.random.default_rng(seed)
    forms = parse_augmentations(families)
    copied_rows = rng.choice(count, round(copies * count), replace=False)
    sources = rng.integers(0, train, count)
    sources[copied_rows] = rng.integers(0, max(train // 4, 1), len(copied_rows))
    form = np.where(np.arange(count) % 2, 0, rng.integers(0, len(forms), count))
    spaces = tuple(
        _space(name, place, rng, sources=sources, form=form, copied=copied_rows, k=k, train=train,
               source="test" if test else "train")
        for place, name in enumerate(names)
    )  # fmt: skip
    each = np.stack([space.p_values for space in spaces])
    p_values = np.minimum(1.0, len(spaces) * each.min(axis=0))
    q_values = _benjamini_hochberg(p_values)
    flagged = q_values <= level
    is_copy = np.zeros(count, bool)
    is_copy[copied_rows] = True
    done: list[Augmentation | None] = [
        forms[form[row]] if is_copy[row] else None for row in range(count)
    ]
    ids = [f"{CLASSES[row * 10 // train]}/{row:05d}.jpg" for row in range(train)]
    return Audit(
        generated_ids=[f"samples/{row:06d}.png" for row in range(count)],
        train_ids=ids,
        classes=[name.split("/")[0] for name in ids] if classes else None,
        augmentations=forms,
        spaces=spaces,
        p_values=p_values,
        q_values=q_values,
        flagged=flagged,
        level=level,
        by_power_law=flagged & (p_values < 1 / 5_001),
        min_p_value=1e-9,
        min_copies_flagged=1,
        space=each.argmin(axis=0),
        copied_fraction=_fraction(copies, count),
        duplicates=_duplicates(train, ids, test=test),
        inputs={
            role: InputSummary(source=f"{role}.zip", kind="images", count=size, digest=mark * 8)
            for role, size, mark in (
                ("generated", count, "9f2c"),
                ("train", train, "a41b"),
                *((("test", train // 5, "07de"),) if test else ()),
            )
        },
        provenance={"genmem": "0.1.0", "seed": seed, "date": "2026-11-22T15:47:00Z"},
        seconds={"features": 581.2, "neighbors": 24.4, "total": 605.6},
        notes=("4 training images are near-duplicates of held-out images; they stay in.",),
        thumbnails=pictures(sources=sources, forms=done, train=train) if pictures else None,
    )


def _space(
    name: str,
    place: int,
    rng: np.random.Generator,
    *,
    sources: np.ndarray,
    form: np.ndarray,
    copied: np.ndarray,
    k: int,
    train: int,
    source: str,
) -> SpaceResult:
    count = len(sources)
    scale = 0.01 if place == 0 else 1.9
    null = np.sort(rng.gamma(22, scale, 5_000))
    steps = rng.gamma(2, 0.3 * scale, (count, k))
    steps[:, 0] = rng.gamma(22, scale, count)
    distances = np.cumsum(steps, axis=1)
    seen = copied[copied % 3 != place] if len(copied) else copied
    distances[seen, 0] = scale * rng.gamma(2, 0.3, len(seen))
    rows = rng.integers(0, train, (count, k))
    rows[:, 0] = sources
    applied = np.where(rng.random((count, k)) < 0.2, form[:, None], 0)
    applied[copied, 0] = form[copied]
    below = np.searchsorted(null, distances[:, 0], side="right")
    tail = (distances[:, 0] / null[99]) ** 9 * 100 / len(null)
    p_values = np.clip(np.where(below < 100, tail, (1 + below) / (1 + len(null))), 1e-12, 1.0)
    second = distances[:, min(1, k - 1)]
    return SpaceResult(
        name=name,
        metric="absolute_cosine" if place == 0 else "euclidean",
        distances=distances,
        train=rows,
        augmentations=applied,
        compared=np.unique(np.append(applied, 0)),
        ratio=np.divide(distances[:, 0], second, out=np.ones(count), where=second > 0),
        statistic=distances[:, 0].copy(),
        statistic_name="distance",
        p_values=p_values,
        null=NullSample(source=source, statistic=null, tail=100, exponent=9.0, dropped=3),
        copied_fraction=_fraction(len(seen) / max(count, 1), count),
        backbone={"name": name, "dimension": 1280 if place == 0 else 3072},
    )


def _benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    q_values = np.empty_like(p_values)
    q_values[order] = np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1])
    return q_values


def _fraction(value: float, count: int) -> Result:
    half = 1.96 * (max(value, 1e-4) / max(count, 1)) ** 0.5
    return Result(
        name="copied_fraction",
        value=value,
        n={"generated": count},
        interval=Interval(
            low=max(0.0, value - half) if value else 0.0,
            high=value + half,
            level=0.95,
            method="excess over the held-out distances",
        ),
    )


def _duplicates(train: int, ids: list[str], *, test: bool) -> tuple[Duplicates, ...]:
    def build_duplicates(
        between: str, first_ids: list[str], pairs: int, dropped: int
    ) -> Duplicates:
        within = between == "train and train"
        first = np.arange(pairs) * (len(first_ids) // pairs)
        second = first + 1 if within else 5 * first
        return Duplicates(
            between=between,
            space="pixels",
            rule="the distance is at most a third of that to the tenth nearest image",
            first_ids=[first_ids[row] for row in first],
            second_ids=[ids[row] for row in second],
            first=first,
            second=second,
            distances=np.maximum(np.linspace(-4, 8, pairs), 0),
            exact=np.arange(pairs) < pairs // 3,
            same=np.arange(pairs) < pairs // 2,
            examined=len(first_ids),
            of=len(first_ids),
            dropped=dropped,
        )

    held_out = [f"test/{row:05d}.jpg" for row in range(train // 5)]
    return (
        build_duplicates("train and train", ids, 36, 0),
        *((build_duplicates("test and train", held_out, 9, 9),) if test else ()),
    )
