"""60,000 images in 60 webdataset shards: reference, score and audit by Ray, a worker killed.

    python -m studies.shards --cifar10 FOLDER [--part 10] [--backbone NAME] [--json FILE]

FOLDER holds `train.zip` and `test.zip` (CIFAR-10 as JPEGs, one folder a class). Shards hold 1,000
images each, with a caption and a class beside every image: 50 of training images, 9 of held-out
images, and one of generated images: 950 photographs that are in no other shard and 50 copies of
training images, saved again with a little noise. `--part N` takes every Nth image of each shard.

The three commands run twice on the same shards with empty caches: in one process, and by
`--ray local`, where one worker process of each command is killed (SIGKILL) while it works. Compared
are every file of the two references, and what the two scores and audits say, without dates,
durations and command lines.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from genmem.images import ImageSource, open_images

PER_SHARD = 1_000
COPIES = 50
_CHANGES = ("date", "seconds", "command")
"""Keys whose values differ from run to run."""


def write_shard(
    path: Path, source: ImageSource, rows: Sequence[int], replaced: Mapping[int, bytes]
) -> None:
    """Write images as a webdataset tar: KEY.jpg, KEY.txt, KEY.cls."""
    with tarfile.open(path, "w") as tar:
        for place, row in enumerate(rows):
            label = source.class_name(row)
            content = replaced[place] if place in replaced else bytes(source.content(row))
            for ending, data in (
                ("jpg", content),
                ("txt", f"a photograph of one {label}".encode()),
                ("cls", str(label).encode()),
            ):
                member = tarfile.TarInfo(f"{path.stem}{place:06d}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def copy_of(image: bytes, rng: np.random.Generator) -> bytes:
    """A JPEG saved again, with noise of two gray levels."""
    pixels = np.asarray(Image.open(io.BytesIO(image)), dtype=np.float64)
    noisy = np.clip(np.round(pixels + rng.normal(scale=2, size=pixels.shape)), 0, 255)
    out = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def build_shards(cifar10: Path, folder: Path, part: int) -> None:
    """All shards, in `folder`: train-00 … 49, test-50 … 58, generated-59."""
    rng = np.random.default_rng(0)
    with open_images(cifar10 / "train.zip") as train, open_images(cifar10 / "test.zip") as test:
        train_rows, test_rows = rng.permutation(len(train)), rng.permutation(len(test))
        copied = rng.choice(train_rows, COPIES // part, replace=False)
        copies = {
            place: copy_of(bytes(train.content(int(row))), rng) for place, row in enumerate(copied)
        }
        for number in range(60):
            is_train = number < 50
            rows = train_rows if is_train else test_rows
            first = (number if is_train else number - 50) * PER_SHARD
            role = "train" if is_train else "generated" if number == 59 else "test"
            write_shard(
                folder / f"{role}-{number:02d}.tar",
                train if is_train else test,
                [int(row) for row in rows[first : first + PER_SHARD : part]],
                copies if role == "generated" else {},
            )


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The worker processes of a command's cluster that run a task now."""
    working = []
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            name = " ".join(child.cmdline())
            if name.startswith("ray::") and not name.startswith("ray::IDLE"):
                working.append(child)
    return working


def kill_one(command: subprocess.Popen[bytes]) -> str | None:
    """Kill a worker that has used five seconds of processor time: more than its imports take.

    Returns:
        Its task; None where none ran for so long.
    """
    while command.poll() is None:
        for worker in workers_of(psutil.Process(command.pid)):
            with suppress(psutil.Error):
                if sum(worker.cpu_times()[:2]) > 5:
                    name = worker.cmdline()[0]
                    worker.kill()
                    return name
        time.sleep(0.05)
    return None


def commands(shards: Path, out: Path, backbone: str) -> dict[str, list[str]]:
    """The three commands by their names."""
    generated, reference = str(shards / "generated-59.tar"), str(out / "cifar.genmem")
    held_out = str(shards / "test-{50..58}.tar")
    train = str(shards / "train-{00..49}.tar")
    return {
        "reference": ["reference", train, "--test", held_out, "--backbone", backbone,
                      "--out", reference],
        "score": ["score", generated, "--train", reference, "--json", str(out / "score.json")],
        "audit": ["audit", generated, "--train", reference, "--out", str(out / "audit")],
    }  # fmt: skip


def run_all(shards: Path, out: Path, backbone: str, *, by_ray: bool) -> dict[str, Any]:
    """Run the commands; seconds of each, and the task that was killed in it."""
    out.mkdir()
    environment = {**os.environ, "GENMEM_CACHE": str(out / "cache"), "OMP_NUM_THREADS": "1"}
    measured: dict[str, Any] = {}
    for name, arguments in commands(shards, out, backbone).items():
        started = time.perf_counter()
        ray = ["--ray", "local"] if by_ray else []
        command = subprocess.Popen(
            [sys.executable, "-m", "genmem", *arguments, *ray], env=environment
        )
        killed = kill_one(command) if by_ray else None
        if command.wait():
            raise SystemExit(f"{name} ended with {command.returncode}")
        measured[name] = {"seconds": round(time.perf_counter() - started, 1), "killed": killed}
        print(name, measured[name], flush=True)
    return measured


def without_changes(value: Any) -> Any:
    """A JSON document without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_changes(item) for key, item in value.items() if key not in _CHANGES}
    return [without_changes(item) for item in value] if isinstance(value, list) else value


def differences(first: Path, second: Path) -> list[str]:
    """The files of two runs that differ, or that only one of them has."""
    names = {
        path.relative_to(folder)
        for folder in (first, second)
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".html"  # rendered from audit.json, with dates
        and "cache" not in path.relative_to(folder).parts
    }
    return [str(name) for name in sorted(names) if not _same(first / name, second / name)]


def _same(first: Path, second: Path) -> bool:
    if not (first.exists() and second.exists()):
        return False
    if first.suffix == ".json":
        contents = [without_changes(json.loads(path.read_bytes())) for path in (first, second)]
        return contents[0] == contents[1]
    return first.read_bytes() == second.read_bytes()


def main() -> None:
    """Measure, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--part", type=int, default=1, help="take every Nth image of each shard")
    parser.add_argument("--backbone", default="efficientnet-lite0@32")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = folder / "shards"
        shards.mkdir()
        build_shards(arguments.cifar10, shards, arguments.part)
        results: dict[str, Any] = {
            "one process": run_all(shards, folder / "one", arguments.backbone, by_ray=False),
            "ray": run_all(shards, folder / "ray", arguments.backbone, by_ray=True),
            "files that differ": differences(folder / "one", folder / "ray"),
            "files": sum(path.is_file() for path in (folder / "one").rglob("*")),
        }
        audit = json.loads((folder / "one" / "audit" / "audit.json").read_text("utf-8"))
        results["verdict"] = audit["verdict"]["sentence"]
    print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
