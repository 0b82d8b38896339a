"""From a zip of JPEGs to cached features, against the network alone on prepared arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases.common import memory_cell, share_cell
from benchmarks.data import write_cifar10_zip
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import Row, mebibytes, skipped
from benchmarks.worker import Worker

_BACKBONE = "efficientnet-lite0"
_ENGINE = "its engine alone, on arrays in memory"


class WholePipeline:
    """Open, hash, decode, resize, embed and write to a fresh cache: what a first run does."""

    def __init__(self, images: Path) -> None:
        from genmem.features import load_backbone
        from genmem.images import open_images

        self.images = images
        self.extractor = load_backbone(_BACKBONE, device="cpu")
        with open_images(images) as source:
            self.work = float(len(source))
        self.run()

    def run(self) -> dict[str, float]:
        """Extract once."""
        from genmem.features import extract
        from genmem.images import open_images

        with (
            tempfile.TemporaryDirectory(dir=self.images.parent) as cache,
            open_images(self.images) as source,
        ):
            result = extract(source, extractor=self.extractor, cache=cache)
            return {"mean feature": float(result.array.mean(dtype="float64"))}


class EngineAlone:
    """The network on batches that are already decoded and resized."""

    def __init__(self, images: Path) -> None:
        from genmem.features import load_backbone
        from genmem.images import open_images, read_batches

        self.extractor = load_backbone(_BACKBONE, device="cpu")
        with open_images(images) as source:
            self.work = float(len(source))
            batches = read_batches(
                source,
                transform=self.extractor.transform,
                batch_size=self.extractor.batch_size,
            )
            self.batches = [batch.array for batch in batches]
        self.extractor.run(self.batches[0])

    def run(self) -> dict[str, float]:
        """Embed all batches."""
        total = sum(self.extractor.run(batch)[0].sum(dtype="float64") for batch in self.batches)
        return {"mean feature": float(total) / (self.work * (self.extractor.dimension or 1))}


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """One row, or why there is none."""
    case = f"{_BACKBONE}, zip of {sizes.pipeline_images:,} CIFAR-10 JPEGs → cached features"
    images = write_cifar10_zip(folder / "images.zip", images=sizes.pipeline_images)
    if images is None:
        yield skipped(case, _ENGINE, "CIFAR-10 is not there; set GENMEM_TEST_DATA")
        return
    with Worker(WholePipeline, images) as ours, Worker(EngineAlone, images) as engine:
        comparison = compare(ours, engine, rounds=sizes.rounds, bracket=True)
        yield Row(
            case=case,
            against=_ENGINE,
            ours=f"{ours.work / comparison.ours_seconds:.3g} images/s",
            other=f"{engine.work / comparison.other_seconds:.3g} images/s",
            ratio=share_cell(comparison, sizes, minimum=0.85),
            memory=memory_cell(ours, sizes),
            other_memory=mebibytes(engine.added_bytes),
        )
