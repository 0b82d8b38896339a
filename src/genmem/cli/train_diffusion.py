"""`genmem train diffusion`: train a diffusion model, and measure how many images it memorizes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from genmem.cli.options import Config, OutRun, Resume, TrainingDevice

if TYPE_CHECKING:
    from genmem.training.common.config import Config as ConfigModel
    from genmem.training.common.config import ImageSelection
    from genmem.training.diffusion.config import DiffusionConfig

RESUME_OPTIONS = ("out", "resume", "device")
"""Options that go with --resume; a run keeps the others."""


def diffusion(
    context: typer.Context,
    out: OutRun,
    config: Config = None,
    resume: Resume = False,
    device: TrainingDevice = "auto",
) -> None:
    """Train a diffusion model, and measure the memorization ratio of its snapshots.

    The defaults are those of "On Memorization in Diffusion Models" (a day on a GPU). Use
    `accelerate launch` to train on several devices.
    """
    from genmem.cli.config_options import given_options
    from genmem.errors import InputError, UsageError
    from genmem.training.diffusion import run_folder

    options = given_options(context)
    if resume:
        _refuse_other_options(context, options)
        run_config = run_folder.read_run_config(out)
        selection = run_folder.read_dataset_record(out).selection(out)
        if selection is None or selection.train is None:
            raise InputError(
                f"{out}: was not started by genmem train diffusion; resume it in Python."
            )
        return _train(out, selection, lambda side: run_config, resume=True, device=device)
    if "train" not in options:
        raise UsageError("--train: expected training images; or --resume, to continue a run.")
    selection, build = _configuration(options, config)
    return _train(out, selection, build, resume=False, device=device)


def _configuration(
    options: dict[str, Any], file: Path | None
) -> tuple[ImageSelection, Callable[[int], DiffusionConfig]]:
    """The images to train on, and the configuration for images of a side."""
    from genmem.cli.config_options import build_config
    from genmem.cli.training import absolute
    from genmem.errors import UsageError
    from genmem.training.common.config import ImageSelection, read_config
    from genmem.training.diffusion.config import MODEL_VALUES, DiffusionConfig, UNetConfig

    if {"steps", "epochs"} <= options.keys():
        raise UsageError("--epochs: has no effect with --steps. Give one of them.")
    values = {} if file is None else read_config(file)
    network = values.pop("network") if isinstance(values.get("network"), dict) else {}
    network |= _pop_fields(values, UNetConfig)
    selected = _pop_fields(values, ImageSelection)
    if "model" in options:  # which decides what the file's model decided
        decided = MODEL_VALUES["ddpm++"]
        network = {name: value for name, value in network.items() if name not in decided}
    config = build_config(DiffusionConfig, options, values)
    selection = build_config(
        ImageSelection,
        options,
        {**selected, "seed": config.seed, "classes": config.label_kind == "true"},
    ).replace(train=absolute(options["train"]))

    def build(side: int) -> DiffusionConfig:
        unet = build_config(UNetConfig, options, {**network, "image_size": side})
        if "attention" in options:
            unet.check_attention()
        return config.replace(network=unet)

    return selection, build


def _pop_fields(values: dict[str, Any], model: type[ConfigModel]) -> dict[str, Any]:
    """Take the options of `model` out of a file's values, unless `DiffusionConfig` has them."""
    from genmem.cli.config_options import option_names
    from genmem.training.diffusion.config import DiffusionConfig

    names = option_names(model) - DiffusionConfig.model_fields.keys()
    return {name: values.pop(name) for name in names & values.keys()}


def _train(
    out: Path,
    selection: ImageSelection,
    build: Callable[[int], DiffusionConfig],
    *,
    resume: bool,
    device: Any,
) -> None:
    """Load the images, train, and show the memorization ratios."""
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_folder
    from genmem.cli.training import exit_if_interrupted, local_path, print_stopping
    from genmem.formatting import count
    from genmem.progress import progress_on_stderr
    from genmem.training.common.dataset import load_training_images
    from genmem.training.common.run_folder import check_new_run
    from genmem.training.diffusion.train import RUN_FILES, train

    source = selection.to_dict()
    check_folder(str(out), inputs={"--train": local_path(selection.train)})
    if not resume:
        check_new_run(out, files=RUN_FILES)
    with progress_on_stderr() as progress:
        images = load_training_images(selection.train, selection, progress=progress)
        print_notes(images.notes)
        config = build(images.size)
        print(
            f"{count(len(images), 'image')} of {images.size} × {images.size}, "
            f"{count(config.total_steps(len(images)), 'step')} of {config.batch_size}",
            file=sys.stderr,
        )
        result = train(
            images,
            out,
            config,
            resume=resume,
            device=device,
            progress=progress,
            source=source,
            on_stop=print_stopping,
        )
    exit_if_interrupted(result, "diffusion", out, device=device)
    if result.main:
        _print_ratios(out)


def _refuse_other_options(context: typer.Context, options: dict[str, Any]) -> None:
    """Raise UsageError when options come with --resume that the run keeps."""
    from genmem.cli.config_options import flag_of
    from genmem.errors import UsageError

    for name in (*options, *context.params):
        source = context.get_parameter_source(name)
        is_given = source is not None and source.name == "COMMANDLINE"
        if is_given and name not in RESUME_OPTIONS:
            raise UsageError(
                f"--resume continues with the run's own configuration; leave {flag_of(name)} out."
            )


def _print_ratios(out: Path) -> None:
    """The memorization ratios of the snapshots as a table."""
    from genmem.cli.console import print_table
    from genmem.formatting import share, share_range
    from genmem.report.common.terminal import new_table
    from genmem.training.diffusion import run_folder

    ratios = run_folder.memorization_ratios(out).values()
    if ratios:
        table = new_table()
        for column in ("step", "memorization ratio", "interval"):
            table.add_column(column, justify="right", no_wrap=True)
        for ratio in ratios:
            interval = share_range(ratio["low"], ratio["high"])
            table.add_row(f"{ratio['step']:,}", share(ratio["ratio"]), interval)
        print_table(table)
    print(f"run: {out}", file=sys.stderr)
