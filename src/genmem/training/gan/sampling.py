"""Images from a generator: in batches, as a grid, and from the checkpoint of a run."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from genmem.errors import InputError, UsageError
from genmem.formatting import printable
from genmem.io.atomic import atomic_write
from genmem.io.paths import to_path
from genmem.training.common.checkpoint import CHECKPOINT_FILE, load_module
from genmem.training.gan.config import GanConfig
from genmem.training.gan.networks import build_generator
from genmem.training.gan.trainer import load_gan
from genmem.training.rejection.embedding import to_uint8

MAX_FOLDER_NAME = 100
"""Characters."""

BATCH = 100
COLUMNS = 10


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode and without gradients; afterwards in its former mode."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield module
    finally:
        module.train(was_training)


def generate(
    generator: nn.Module, labels: NDArray[np.int64], *, z_dim: int, seed: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Generate an image for each label.

    Args:
        generator: z [b, z_dim] and labels int64 [b] → images [b, 3, size, size] in [−1, 1].
        labels: int64 [n].
        z_dim: dimension of the noise.
        seed: decides the noise.

    Returns:
        uint8 [n, 3, size, size].
    """
    return np.concatenate(list(_batches(generator, labels, z_dim=z_dim, seed=seed)))


def _batches(
    generator: nn.Module, labels: NDArray[np.int64], *, z_dim: int, seed: tuple[int, ...]
) -> Iterator[NDArray[np.uint8]]:
    """`generate`, at most `BATCH` images at a time."""
    rng = np.random.default_rng(seed)
    device = next(generator.parameters()).device
    for start in range(0, len(labels), BATCH):
        batch = torch.from_numpy(labels[start : start + BATCH]).to(device)
        noise = torch.from_numpy(rng.standard_normal((len(batch), z_dim), dtype=np.float32))
        with evaluating(generator):
            yield to_uint8(generator(noise.to(device), batch)).cpu().numpy()


def balanced_labels(count: int, classes: int) -> NDArray[np.int64]:
    """Labels int64 [count], the classes in turn."""
    return np.arange(count, dtype=np.int64) % classes


def write_grid(pixels: NDArray[np.uint8], path: Path) -> None:
    """Images uint8 [n, 3, h, w] as one PNG, `COLUMNS` a row, each row left to right."""
    count, _, height, width = pixels.shape
    rows = -(-count // COLUMNS)
    sheet = np.full((rows * (height + 2), COLUMNS * (width + 2), 3), 255, np.uint8)
    for number, image in enumerate(pixels):
        top, left = number // COLUMNS * (height + 2), number % COLUMNS * (width + 2)
        sheet[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    picture = Image.fromarray(sheet)
    if max(sheet.shape) < 500:
        picture = picture.resize((2 * sheet.shape[1], 2 * sheet.shape[0]), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def load_generator(run: str | Path) -> tuple[nn.Module, tuple[str, ...], int]:
    """The generator of a run's checkpoint (its moving average where it has one).

    Returns:
        The module in evaluation mode on the CPU, the names of its classes (none where its images
        had none, or the model is unconditional), and the dimension of its noise.

    Raises:
        InputError: there is no checkpoint, or it is damaged or another program's.
    """
    checkpoint = load_gan(to_path(run, name="run") / CHECKPOINT_FILE)
    classes = tuple(checkpoint.state["classes"])
    try:
        config = GanConfig(**checkpoint.state["config"] | {"train": "-"})
        generator = build_generator(config, classes=max(1, len(classes)))
    except UsageError as error:
        raise InputError(f"{checkpoint.path}: cannot be sampled from: {error}") from error
    name = "average" if config.ema_decay > 0 else "generator"
    load_module(generator, name, checkpoint)
    return generator.eval(), classes if config.knows_classes else (), config.z_dim


def sample_run(run: str | Path, count: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """`count` images of a run's generator, uint8 [n, 3, h, w], balanced over its classes."""
    generator, classes, z_dim = load_generator(run)
    labels = balanced_labels(count, max(1, len(classes)))
    return generate(generator, labels, z_dim=z_dim, seed=(seed,))


def write_zip(run: str | Path, count: int, path: Path, *, seed: int = 0) -> None:
    """Write `sample_run` as PNGs into a zip, one folder for each class if there are several.

    Raises:
        InputError: the run cannot be read.
        UsageError: the file cannot be written.
    """
    generator, classes, z_dim = load_generator(run)
    labels = balanced_labels(count, max(1, len(classes)))
    folders = [f"{name}/" for name in folder_names(classes)] if len(classes) > 1 else [""]
    batches = _batches(generator, labels, z_dim=z_dim, seed=(seed,))
    images = (image for batch in batches for image in batch)
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            buffer = io.BytesIO()
            Image.fromarray(image.transpose(1, 2, 0)).save(buffer, format="PNG")
            archive.writestr(f"{folders[label]}{number:06d}.png", buffer.getvalue())


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder name for each class, distinct even where case does not count.

    Class names are not trusted: characters that could lead to another folder, or that some system
    forbids in file names, become underscores.
    """
    folders: list[str] = []
    taken: set[str] = set()
    for name in classes:
        safe = re.sub(r'[\\/:*?"<>|]', "_", printable(name))[:MAX_FOLDER_NAME].rstrip(". ")
        safe = re.sub(r"^[. ]+", lambda dots: "_" * len(dots[0]), safe) or "_"
        plain, number = safe, 1
        while safe.casefold() in taken:
            number += 1
            safe = f"{plain}-{number}"
        taken.add(safe.casefold())
        folders.append(safe)
    return folders
