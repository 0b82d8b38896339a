"""The time and memory of an audit of photographs, beside other tools on the same images.

    python -m studies.photograph_speed --photographs photographs.zip

Photographs of 500 × 375 are made of those in the zip (any folder or archive will do): patches at
random places and sizes, half mirrored, jittered in brightness, contrast and color, saved as
JPEGs of quality 90. Train, held-out and generated images come from different photographs where
there are enough. One in ten generated images is a training image, recompressed. Everything is
seeded.

Ways, each in a fresh process on the same folders and without a cache:

- genmem: `genmem.audit` with its default backbones and local evidence, and the page with its
  pictures; genmem-spaces: without local evidence; genmem-pixels: in `pixels@64` alone.
- imagededup-phash: `PHash().find_duplicates`, as its documentation shows it, on both sets
  together. It compares 64-bit hashes.
- imagededup-cnn: `CNN.find_duplicates` with genmem's default network in place of its own, whose
  weights are a download.
- fastdup: `fastdup.create(…).run(…)`, where it is installed.

Each prints its time by the clock and on the processors (all threads), and its highest resident
memory. The clock means little where other programs run; the time on the processors, something.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from genmem.images import decode, open_images

SIZE = (500, 375)
DEFAULT = ("efficientnet-lite0", "pixels@64")
COPIES = 10
"""One in so many generated images is a copy."""


def make_photograph(source: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A patch of a photograph, of half to all of its width, changed in color."""
    width, height = source.size
    share = rng.uniform(0.5, 1.0)
    across, down = width * share, width * share * SIZE[1] / SIZE[0]
    if down > height:
        across, down = height * SIZE[0] / SIZE[1], float(height)
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    box = (left, top, left + across, top + down)
    image = source.resize(SIZE, Image.Resampling.BICUBIC, box)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(float(rng.uniform(0.7, 1.3)))
    return image


def make_sets(photographs: str, folder: Path, counts: dict[str, int], seed: int = 0) -> None:
    """Write the sets as folders of JPEGs; every third photograph belongs to one role."""
    with open_images(photographs) as source:
        pixels = [
            decode(source.content(position), name=source.id(position))
            for position in range(len(source))
        ]
    for number, (role, count) in enumerate(counts.items()):
        (folder / role).mkdir(parents=True)
        rng = np.random.default_rng((seed, number))
        own = pixels[number :: len(counts)]
        for row in range(count):
            if role == "generated" and row % COPIES == 0:
                copied = Image.open(folder / "train" / f"{row:06d}.jpg")
                copied.save(folder / role / f"{row:06d}.jpg", quality=70)
                continue
            image = make_photograph(Image.fromarray(own[rng.integers(len(own))]), rng)
            image.save(folder / role / f"{row:06d}.jpg", quality=90)


def run_genmem(
    folder: Path, backbones: tuple[str, ...], *, local: bool | None = None
) -> dict[str, object]:
    """The audit and its page; the seconds of its stages."""
    from genmem.auditing import audit
    from genmem.report.audit.page import write_audit

    sets: dict[str, Any] = {role: folder / role for role in ("generated", "train", "test")}
    with audit(**sets, backbone=backbones, local=local) as result:
        started = time.perf_counter()
        write_audit(result, folder / "out")
        seconds = dict(result.seconds) | {"page": time.perf_counter() - started}
        copies = result.flagged[::COPIES]
        return {
            "stages": {stage: round(value, 1) for stage, value in seconds.items()},
            "copies flagged": f"{int(copies.sum())} of {len(copies)}",
            "others flagged": int(result.flagged.sum() - copies.sum()),
        }


def run_phash(folder: Path) -> dict[str, object]:
    """imagededup's perceptual hashes, over both sets."""
    from imagededup.methods import PHash

    matches = PHash(verbose=False).find_duplicates(
        image_dir=folder, recursive=True, num_enc_workers=2, num_dist_workers=2
    )
    return _count_copies(matches)


def run_cnn(folder: Path) -> dict[str, object]:
    """imagededup's way with a network: cosine similarity of at least 0.9."""
    import torch
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel

    from genmem.features import load_backbone, torch_module

    module: Any = torch_module("efficientnet-lite0")
    transform = load_backbone("efficientnet-lite0").transform

    class Network(torch.nn.Module):
        name = "efficientnet-lite0"

        @staticmethod
        def transform(image: Image.Image) -> torch.Tensor:
            return torch.from_numpy(np.array(transform(np.asarray(image)))).permute(2, 0, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return module.network(images.permute(0, 2, 3, 1))

    network = Network()
    config = CustomModel(name=network.name, model=network, transform=network.transform)
    method = CNN(verbose=False, model_config=config)
    return _count_copies(method.find_duplicates(image_dir=folder, recursive=True))


def run_fastdup(folder: Path) -> dict[str, object]:
    """fastdup's features and its pairs of a cosine similarity of at least 0.9."""
    import fastdup  # pyright: ignore[reportMissingImports]

    work = fastdup.create(work_dir=str(folder / "fastdup"), input_dir=str(folder))
    work.run(threshold=0.9, print_summary=False)
    return {"pairs": len(work.similarity())}


def _count_copies(matches: dict[str, list[str]]) -> dict[str, object]:
    """How many copies were found with their training image among the duplicates."""
    copies = sorted(name for name in matches if name.startswith("generated/"))[::COPIES]
    hits = sum(name.replace("generated", "train") in matches[name] for name in copies)
    return {"copies found": f"{hits} of {len(copies)}"}


WAYS: dict[str, Callable[[Path], dict[str, object]]] = {
    "genmem": lambda folder: run_genmem(folder, DEFAULT),
    "genmem-spaces": lambda folder: run_genmem(folder, DEFAULT, local=False),
    "genmem-pixels": lambda folder: run_genmem(folder, DEFAULT[1:], local=False),
    "imagededup-phash": run_phash,
    "imagededup-cnn": run_cnn,
    "fastdup": run_fastdup,
}


def measure(way: str, folder: Path) -> dict[str, object]:
    """Run one way in this process; its times, without those of imports, and its memory."""
    _import(way)
    started, before = time.perf_counter(), _processor_seconds()
    result = WAYS[way](folder)
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return result | {
        "clock": round(time.perf_counter() - started, 1),
        "processors": round(_processor_seconds() - before, 1),
        "resident MiB": round(max(resource.getrusage(who).ru_maxrss for who in kinds) / 1024),
    }


def _import(way: str) -> None:
    """Import what a way needs, and export genmem's network, which happens once per machine."""
    from genmem.features import load_backbone

    load_backbone("efficientnet-lite0")
    if not way.startswith("genmem"):
        importlib.import_module(way.split("-")[0])


def _processor_seconds() -> float:
    """Time of this process and its ended children on all cores."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def main() -> None:
    """Make the sets, and run each way in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--photographs", required=True)
    parser.add_argument("--generated", type=int, default=5_000)
    parser.add_argument("--train", type=int, default=20_000)
    parser.add_argument("--test", type=int, default=5_000)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measure(arguments.way, Path(arguments.photographs))))
        return
    with tempfile.TemporaryDirectory(prefix="genmem-speed-") as name:
        folder = Path(name) / "sets"
        counts = {role: getattr(arguments, role) for role in ("train", "test", "generated")}
        started = time.perf_counter()
        make_sets(arguments.photographs, folder, counts)
        print(f"made {sum(counts.values()):,} photographs in {time.perf_counter() - started:.0f} s")
        for way in arguments.ways.split(","):
            if way == "fastdup" and importlib.util.find_spec("fastdup") is None:
                print("fastdup: not installed")
                continue
            print(f"{way}: {run_in_process(way, folder, Path(name))}", flush=True)


def run_in_process(way: str, folder: Path, scratch: Path) -> str:
    """One way in a fresh process with an empty cache; its line of JSON, or its error."""
    command = [sys.executable, "-m", "studies.photograph_speed", "--way", way]
    cache = scratch / f"cache-{way}"
    done = subprocess.run(
        [*command, "--photographs", str(folder)],
        env=os.environ | {"GENMEM_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(folder / "out", ignore_errors=True)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


if __name__ == "__main__":
    main()
