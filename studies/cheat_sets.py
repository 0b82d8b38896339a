"""The sets that `studies.cheats` compares: CIFAR-10, images of the cheats and of an honest GAN."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

from genmem.cheats import CheatOptions, generate_images, load_training_images, write_images
from genmem.images import ImageSource, Progress, decode, open_images
from genmem.io.atomic import atomic_write
from genmem.neighbors import nearest
from genmem.training.gan.config import GanConfig
from genmem.training.gan.sampling import write_zip
from genmem.training.gan.train import train

SEED = 0

HONEST = ("held-out", "honest GAN")


@dataclass(frozen=True, kw_only=True)
class Cheat:
    """A method and its options."""

    method: str
    mix: float | None = None
    augmentation: str | None = None


CHEATS: Mapping[str, Cheat] = {
    "mgan": Cheat(method="mgan"),
    "mgan-store .999": Cheat(method="mgan-store"),
    "mgan-store .7": Cheat(method="mgan-store", mix=0.7),
    "sup .99": Cheat(method="sup"),
    "ae": Cheat(method="ae"),
    "aug crops": Cheat(method="aug", augmentation="crops"),
    "aug mixture": Cheat(method="aug", augmentation="mixture"),
}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the sets and of the GAN.

    Attributes:
        train: training images, evenly spaced in CIFAR-10.
        test: held-out images, the reference.
        images: of each evaluated set.
        few: of each evaluated set in the further backbones.
        steps: of the GAN.
        width: channels of the GAN.
    """

    train: int
    test: int
    images: int
    few: int
    steps: int
    width: int


def build_sets(data: Path, folder: Path, sizes: Sizes, progress: Progress) -> dict[str, Path]:
    """Every set as a zip in `folder`: "train", "test", the honest ones and the cheats'.

    Existing files are used as they are; the folder's name contains the sizes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("train", "test", *HONEST, *CHEATS)
    paths = {name: folder / f"{name.replace(' ', '-')}.zip" for name in names}
    if not paths["train"].exists():
        with open_images(data / "train.zip") as source:
            rows = np.linspace(0, len(source), sizes.train, endpoint=False).astype(np.int64)
            _save(source, rows, paths["train"])
    with open_images(data / "test.zip") as source:
        order = np.random.default_rng(SEED).permutation(len(source))
        for name, start, count in (("held-out", 0, sizes.images), ("test", 5_000, sizes.test)):
            if not paths[name].exists():
                _save(source, np.sort(order[start : start + count]), paths[name])
    for name, cheat in CHEATS.items():
        if not paths[name].exists():
            images = generate_images(
                cheat.method,
                load_training_images(paths["train"]),
                count=sizes.images,
                seed=SEED,
                options=CheatOptions(mix=cheat.mix, augmentation=cheat.augmentation),
                progress=lambda stage, done, of, name=name: progress(f"{name}: {stage}", done, of),
            )
            write_images(images, paths[name])
    if not paths["honest GAN"].exists():
        run = folder / "gan"
        _train_gan(run, paths["train"], sizes, progress)
        write_zip(run, sizes.images, paths["honest GAN"], seed=SEED)
    return paths


def subsample(path: Path, count: int) -> Path:
    """A zip of evenly spaced images of a zip, written beside it if it is missing."""
    short = path.with_name(f"{path.stem}-{count}-of-them.zip")
    if not short.exists():
        with open_images(path) as source:
            _save(
                source, np.linspace(0, len(source), count, endpoint=False).astype(np.int64), short
            )
    return short


def draw_nearest(
    paths: Mapping[str, Path],
    features: Mapping[str, NDArray[np.float32]],
    path: Path,
    *,
    rows: Sequence[int],
) -> None:
    """Draw a row for each training image, with each set's nearest image in `features`."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [*CHEATS, *HONEST[::-1]]
    chosen = features["train"][list(rows)]
    columns = [("training image", paths["train"], np.array(rows))] + [
        (name, paths[name], nearest(chosen, features[name]).indices[:, 0]) for name in names
    ]
    figure, axes = pyplot.subplots(
        len(rows), len(columns), figsize=(1.05 * len(columns), 1.02 * len(rows) + 0.4)
    )
    for column, (name, source_path, places) in enumerate(columns):
        with open_images(source_path) as source:
            for row, place in enumerate(places):
                pixels = decode(source.content(int(place)), name=name)
                axes[row, column].imshow(pixels, interpolation="nearest")
                axes[row, column].set_axis_off()
        axes[0, column].set_title(name.replace(" ", "\n", 1), fontsize=8)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.955, wspace=0.06, hspace=0.06)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=100)
    pyplot.close(figure)


def _save(source: ImageSource, rows: NDArray[np.int64], path: Path) -> None:
    """Copy some images of a source, as they are stored."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for row in rows:
            content = source.content(int(row))
            assert isinstance(content, bytes)
            archive.writestr(source.id(int(row)), content)


def _train_gan(run: Path, data: Path, sizes: Sizes, progress: Progress) -> None:
    """Train a small DCGAN in the usual way."""
    settings = GanConfig(
        **{
            "model": "dcgan",
            "train": str(data),
            "width": sizes.width,
            "discriminator_steps": 1,
            "augment": True,
            "steps": sizes.steps,
            "seed": SEED,
            "save_every": 100,
            "sample_every": 0,
            "evaluate_every": 0,
            "evaluate_with": [],
        }
    )
    train(settings, run, resume=(run / "config.json").exists(), device="cpu", progress=progress)
