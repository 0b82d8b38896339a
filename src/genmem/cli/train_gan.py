"""`genmem train gan`: train a GAN, with or without memorization rejection."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from genmem.cli.options import Config, OutRun, Resume, TrainingDevice

if TYPE_CHECKING:
    from genmem.training.gan.config import GanConfig


def gan(
    context: typer.Context,
    out: OutRun,
    config: Config = None,
    resume: Resume = False,
    device: TrainingDevice = "auto",
) -> None:
    """Train a GAN, with or without memorization rejection.

    Classes are the folders at the first level where the images' paths differ. With `--tau`, the
    generator does not learn from images that are too close to a training image.

    Use `accelerate launch` to train on several GPUs, and
    `torchrun --nproc-per-node 2 $(which genmem) train gan …` for several processes on a CPU.
    """
    from genmem.cli.config_options import given_options
    from genmem.cli.outputs import check_folder
    from genmem.cli.training import exit_if_interrupted
    from genmem.progress import progress_on_stderr

    gan_config = _config(given_options(context), out, config, resume=resume)
    from genmem.training.gan.train import train

    check_folder(str(out), inputs={"--train": gan_config.train, "--test": gan_config.test})
    with progress_on_stderr() as progress:
        result = train(
            gan_config, out, resume=resume, device=device, progress=progress, notify=_notify
        )
    exit_if_interrupted(result, "gan", out, device=device)
    if result.main:
        print(
            f"run: {out} (step {result.step:,}; curves.png, log.jsonl, samples/)", file=sys.stderr
        )


def _notify(sentence: str) -> None:
    print("note:", sentence, file=sys.stderr)


def _config(options: dict[str, Any], out: Path, file: Path | None, *, resume: bool) -> GanConfig:
    """The configuration of the run: options over a file, or over the run that is resumed."""
    from genmem.cli.config_options import build_config
    from genmem.errors import UsageError
    from genmem.training.common.config import read_config
    from genmem.training.common.run_folder import CONFIG_FILE, no_run_error
    from genmem.training.gan.config import GanConfig, resumed_config

    if resume:
        if file is not None:
            raise UsageError("--resume uses the run's own config.json; leave --config out.")
        if not (out / CONFIG_FILE).is_file():
            raise no_run_error(out)
        config = resumed_config(GanConfig(**read_config(out / CONFIG_FILE)), options)
    else:
        values = {} if file is None else read_config(file)
        config = build_config(GanConfig, options, values)
    config.check_options(options)
    return config
