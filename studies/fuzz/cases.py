"""One case of each kind: files in a folder and the arguments of one command.

A case depends on the seed and its number alone, so that it can be made again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from studies.fuzz import files
from studies.fuzz.mutations import WORDS, damage, damage_text

Build = Callable[[random.Random, Path], list[str]]

DIFFUSION = {"channels": 16, "blocks": 1, "multipliers": [1], "steps": 1, "batch_size": 4}
GAN = {"model": "dcgan", "size": 16, "width": 8, "z_dim": 8, "batch_size": 4, "steps": 1}
"""Settings of trainings that take a second or two."""


def build(seed: int, number: int, folder: Path) -> list[str]:
    """Write the files of case `number` into `folder`; returns the arguments of its command."""
    rng = random.Random(f"{seed}-{number}")
    names = tuple(KINDS)
    (folder / "out").mkdir()
    return KINDS[names[number % len(names)]](rng, folder)


def kind_of(number: int) -> str:
    """The name of the kind of case `number`."""
    return tuple(KINDS)[number % len(KINDS)]


def image_files(rng: random.Random, folder: Path) -> list[str]:
    """A folder of images, of which some are damaged or have the suffix of another format."""
    source = files.folder(rng, folder / "images", images=rng.choice((0, 6)))
    source.mkdir(exist_ok=True)
    for number in range(rng.randint(1, 3)):
        content, suffix = files.image(rng, rng.choice((None, 8)))
        suffix = rng.choice((suffix, suffix, ".png", ".jpg", ".heic", ".jxl", ".txt", ""))
        (source / f"x{number}{suffix}").write_bytes(damage(rng, content))
    return _measure(rng, folder, source)


def archives(rng: random.Random, folder: Path) -> list[str]:
    """A zip or tar with odd names, perhaps damaged."""
    return _measure(rng, folder, _file(rng, folder, files.archive(rng)))


def arrays(rng: random.Random, folder: Path) -> list[str]:
    """A .npy or .npz of any dtype and shape, perhaps damaged."""
    return _measure(rng, folder, _file(rng, folder, files.array_file(rng)))


def parquets(rng: random.Random, folder: Path) -> list[str]:
    """A parquet file, perhaps damaged."""
    return _measure(rng, folder, _file(rng, folder, files.parquet(rng)))


def statistics(rng: random.Random, folder: Path) -> list[str]:
    """A .npz of mu and sigma, perhaps of the wrong shapes."""
    source = _file(rng, folder, files.statistics(rng, rng.choice((1, 192, 192, 192, 12))))
    return _measure(rng, folder, source)


def tables(rng: random.Random, folder: Path) -> list[str]:
    """A competition's table for `calibrate` or `analyze`, with words replaced."""
    table = folder / f"table.{rng.choice(('csv',) * 6 + ('CSV', 'tsv'))}"
    table.write_bytes(damage_text(rng, files.results_table(rng)))
    if rng.random() < 1 / 2:
        distance = rng.choice(("distance_public", "distance_private", rng.choice(WORDS)))
        return ["calibrate", str(table), "--distance", distance, *_json(rng, folder)]
    return ["analyze", str(table), "--out", str(folder / "out" / "analysis"), "--top", "5"]


def competitions(rng: random.Random, folder: Path) -> list[str]:
    """A YAML file for `arena create`; the arena is made once per worker."""
    text = files.competition(rng, files.folder(rng, folder / "train"))
    file = folder / "competition.yaml"
    file.write_bytes(damage_text(rng, text))
    return ["arena", "create", "ARENA", str(file)]


def gan_settings(rng: random.Random, folder: Path) -> list[str]:
    """A JSON file of settings for `train gan`."""
    return ["train", "gan", *_training(rng, folder, GAN)]


def diffusion_settings(rng: random.Random, folder: Path) -> list[str]:
    """A JSON file of settings for `train diffusion`."""
    options = DIFFUSION | {"attention": [], "snapshots": 1, "size": 8}
    return ["train", "diffusion", *_training(rng, folder, options)]


def thresholds(rng: random.Random, folder: Path) -> list[str]:
    """A JSON file that `score --tau` reads."""
    document = {"kind": "genmem calibration", "ranking": ["pixels"],
                "spaces": {"pixels": {"tau": 0.2, "criterion": "error"}}}  # fmt: skip
    tau = folder / "tau.json"
    tau.write_bytes(damage_text(rng, json.dumps(document)))
    arguments = _score(rng, folder, files.folder(rng, folder / "images"))
    return [*arguments, "--tau", rng.choice((str(tau), str(tau), rng.choice(WORDS)))]


def command_lines(rng: random.Random, folder: Path) -> list[str]:
    """A command line that works, with up to two words changed, added or left out."""
    images = str(files.folder(rng, folder / "images", images=6))
    train = str(files.folder(rng, folder / "train"))
    (folder / "table.csv").write_text(files.results_table(rng), "utf-8")
    values = (*WORDS, "pixels", "pixels@8", "efficientnet-lite0", "auto", "cpu", "1", "2", "0.5",
              "fd,mifid", "flip", "noise", str(folder), images, f"{images}=honest", "*.png",
              "out/x.json", "out/x.html", "out/x.npy", "out/x.zip")  # fmt: skip
    name = rng.choice(tuple(COMMAND_LINES))
    words = COMMAND_LINES[name].format(images=images, train=train).split()
    for _ in range(rng.randint(0, 2)):
        position = rng.randrange(1, len(words) + 1)
        option = [rng.choice(OPTIONS[name])] if name in OPTIONS else []
        words[position : position + rng.randint(0, 1)] = rng.choice(
            ([rng.choice(values)], [*option, rng.choice(values)], option, [])
        )
    return [word for word in words if "\0" not in word]


KINDS: dict[str, Build] = {
    "image files": image_files,
    "archives": archives,
    "arrays": arrays,
    "parquet": parquets,
    "statistics": statistics,
    "tables": tables,
    "competitions": competitions,
    "GAN settings": gan_settings,
    "thresholds": thresholds,
    "command lines": command_lines,
    "diffusion settings": diffusion_settings,
}
"""Every kind of case by its name; case n is of kind n modulo their number."""

COMMAND_LINES = {
    "score": "score {images} --train {train} --backbone pixels",
    "audit": "audit {images} --train {train} --out out/audit --backbone pixels",
    "features": "features {images} --out out/f.npy --backbone pixels",
    "calibrate": "calibrate {images}=honest {train}=cheating --train {train} --backbone pixels",
    "calibrate table": "calibrate table.csv --distance distance_public",
    "analyze": "analyze table.csv --out out/analysis",
    "cheat": "cheat aug --train {train} --out out/c.zip --samples 4",
    "backbones": "backbones",
    "train gan": "train gan --model dcgan --train {train} --out out/gan --width 8 --size 16 "
    "--steps 1 --batch-size 4 --evaluate-every 0",
    "train diffusion": "train diffusion --train {train} --out out/run --channels 8 --blocks 1 "
    "--multipliers 1 --attention 8 --steps 1 --batch-size 4 --samples 4",
}
"""A command line that works for each command that neither serves nor opens the network."""

OPTIONS = {
    "score": ("--test", "--metrics", "--tau", "--seed", "--json", "--report", "--weights",
              "--device", "--skip-broken"),
    "audit": ("--test", "--augment", "--neighbors", "--level", "--classes", "--drop-duplicates",
              "--seed", "--device"),
    "calibrate": ("--label", "--honest", "--criterion", "--false-penalty-rate", "--json"),
    "calibrate table": ("--label", "--id", "--honest", "--cheating", "--criterion", "--json"),
    "analyze": ("--board", "--tau", "--label", "--id", "--honest", "--top", "--seed"),
    "cheat": ("--size", "--mix", "--augmentation", "--seed"),
    "train gan": ("--test", "--limit", "--tau", "--mode", "--backbone", "--search", "--resume",
                  "--precision", "--seed", "--flips", "--max-tries"),
    "train diffusion": ("--model", "--size", "--limit", "--only", "--labels", "--resume",
                        "--parametrization", "--without-skips", "--drop-duplicates"),
}  # fmt: skip
"""Options that a case may add, by command."""


def _file(rng: random.Random, folder: Path, content: tuple[bytes, str]) -> Path:
    data, suffix = content
    path = folder / f"file{suffix}"
    path.write_bytes(damage(rng, data))
    return path


def _json(rng: random.Random, folder: Path) -> list[str]:
    return ["--json", str(folder / "out" / "result.json")] if rng.random() < 1 / 2 else []


def _score(rng: random.Random, folder: Path, source: Path) -> list[str]:
    """`score` with `source` as one of its three sets."""
    good = files.folder(rng, folder / "good")
    sets = [str(good)] * 3
    sets[rng.randrange(3)] = str(source)
    arguments = ["score", sets[0], "--train", sets[1], "--backbone", "pixels"]
    return [*arguments, *(["--test", sets[2]] if rng.random() < 1 / 2 else [])]


def _measure(rng: random.Random, folder: Path, source: Path) -> list[str]:
    """One of the commands that read sets of images, with `source` as one of its sets."""
    out = folder / "out"
    skip = ["--skip-broken"] if rng.random() < 1 / 2 else []
    command = rng.choice(("score", "score", "audit", "features", "cheat"))
    if command == "features":
        return ["features", str(source), "--out", str(out / "f.npy"), "--backbone", "pixels", *skip]
    if command == "cheat":
        arguments = ["cheat", "aug", "--train", str(source), "--out", str(out / "c.zip")]
        return [*arguments, "--samples", "4", *skip]
    score = _score(rng, folder, source)
    if command == "audit":
        return ["audit", *score[1:], "--out", str(out / "audit"), *skip]
    report = ["--report", str(out / "r.html")] if rng.random() < 1 / 8 else []
    return [*score, *_json(rng, folder), *report, *skip]


def _training(rng: random.Random, folder: Path, options: Mapping[str, object]) -> list[str]:
    images = files.folder(rng, folder / "images", images=8)
    file = folder / "settings.json"
    text = files.settings(rng, options)
    file.write_bytes(damage_text(rng, text) if rng.random() < 1 / 2 else text.encode())
    run = str(folder / "out" / "run")
    limits = ["--steps", "1", "--batch-size", "4"]
    limits += ["--evaluate-every", "0"] if "model" in options else ["--samples", "4"]
    return ["--train", str(images), "--out", run, "--config", str(file), *limits]
