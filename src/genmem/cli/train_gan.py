"""`genmem train …`: train a GAN, with memorization rejection or without, and sample from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genmem.cli.exit_codes import INTERRUPTED
from genmem.cli.options import LARGEST_SEED, SOURCE
from genmem.cli.train_diffusion import diffusion
from genmem.cli.training import how_to_resume

train = typer.Typer(
    name="train",
    help="Train a GAN, with memorization rejection or without, or a diffusion model.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@train.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Train a GAN, with memorization rejection or without, or a diffusion model."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@train.command()
def gan(
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="The run's folder: checkpoint, log, samples.")
    ],
    model: Annotated[
        Literal["dcgan", "sagan", "biggan"] | None,
        typer.Option(help="Which GAN; dcgan knows no classes."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help=f"The training images, a folder a class: a {SOURCE}.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Held-out images, for C_T. [default: C_T is left out]")
    ] = None,
    tau: Annotated[
        str | None,
        typer.Option(
            metavar="T|auto",
            help="Reject generated images within this distance of a training image, in the "
            "embedding; auto: the training images' mean leave-one-out distance. "
            "[default: reject nothing]",
        ),
    ] = None,
    mode: Annotated[
        Literal["filter", "resample"] | None,
        typer.Option(help="Go on without the rejected, or draw them anew. [default: filter]"),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@SIDE]",
            help="What rejection compares in, a backbone, at a smaller side where given; the "
            "paper's is inception. [default: efficientnet-lite0]",
        ),
    ] = None,
    search: Annotated[
        Literal["auto", "exact", "pruned", "faiss"] | None,
        typer.Option(help="How near training images are looked for. [default: auto]"),
    ] = None,
    warm_up: Annotated[
        int | None, typer.Option(help="Steps before anything is rejected. [default: 0]")
    ] = None,
    ramp: Annotated[
        int | None, typer.Option(help="Steps in which tau then rises to its value. [default: 0]")
    ] = None,
    reject_flips: Annotated[
        bool | None, typer.Option("--reject-flips", help="Reject mirrored copies too.")
    ] = None,
    reject_by_class: Annotated[
        bool | None,
        typer.Option("--reject-by-class", help="Compare with training images of one class."),
    ] = None,
    half: Annotated[
        bool | None, typer.Option("--half", help="Embed and search in half precision.")
    ] = None,
    augment: Annotated[bool | None, typer.Option("--augment", help="DiffAugment.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Generator steps in all. [default: 100000]")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the images: 16, 32 or 64. [default: 32]")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(help="Channels of the generator. [default: dcgan 64, sagan 256, biggan 384]"),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Images a step, of all processes. [default: 64]")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Train on so many images, evenly of all classes.")
    ] = None,
    precision: Annotated[
        Literal["full", "bf16", "fp16"] | None,
        typer.Option(help="Mixed precision on a GPU. [default: full]"),
    ] = None,
    measure_every: Annotated[
        int | None, typer.Option(help="Steps between measurements. [default: 5000]")
    ] = None,
    measure_images: Annotated[
        int | None, typer.Option(help="Generated images measured. [default: 10000]")
    ] = None,
    measure_with: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Backbones to measure in. [default: efficientnet-lite0]"),
    ] = None,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints. [default: 1000]")
    ] = None,
    sample_every: Annotated[
        int | None, typer.Option(help="Steps between sample grids. [default: 1000]")
    ] = None,
    log_every: Annotated[
        int | None, typer.Option(help="Steps between lines of the log. [default: 50]")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random. [default: 0]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Settings by name, as every run's config.json has them; options go first.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run, from its checkpoint.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "auto",
) -> None:
    """Train a GAN on the images of --data; on several GPUs by `accelerate launch`.

    Several processes on a CPU: `torchrun --nproc-per-node 2 $(which genmem) train gan …`.

    Settings that have no option here (learning_rate, discriminator_steps, …) go into --config.
    """
    from genmem.cli.parsing import split_names
    from genmem.cli.progress import progress_on_stderr

    options: dict[str, Any] = {
        "model": model,
        "data": data,
        "test": test,
        "tau": _tau(tau),
        "mode": mode,
        "embedding": embedding,
        "search": search,
        "warm_up": warm_up,
        "ramp": ramp,
        "reject_flips": reject_flips,
        "reject_by_class": reject_by_class,
        "half": half,
        "augment": augment,
        "steps": steps,
        "size": size,
        "width": width,
        "batch": batch,
        "limit": limit,
        "precision": precision,
        "measure_every": measure_every,
        "measure_images": measure_images,
        "measure_with": None if measure_with is None else list(split_names(measure_with)),
        "save_every": save_every,
        "sample_every": sample_every,
        "log_every": log_every,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = _settings(given, out, config, resume=resume)

    from genmem.cli.outputs import check_folder
    from genmem.training.gan.train import train as train_gan

    check_folder(str(out), inputs={"--data": settings.data, "--test": settings.test})
    with progress_on_stderr() as progress:
        ending = train_gan(
            settings, out, resume=resume, device=device, progress=progress, tell=_tell
        )
    if ending.interrupted:
        if ending.main:
            again = how_to_resume("gan", out, device=device, processes=ending.processes)
            print(
                f"genmem: interrupted; saved at step {ending.step:,}. Go on with: {again}",
                file=sys.stderr,
            )
        raise typer.Exit(INTERRUPTED)
    if ending.main:
        print(
            f"run: {out} (step {ending.step:,}; curves.png, log.jsonl, samples/)", file=sys.stderr
        )


@train.command()
def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="The images, as PNGs in a zip.")],
    n: Annotated[
        int, typer.Option("--n", min=1, max=1_000_000, help="How many, the classes in turn.")
    ] = 10_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")
    ] = 0,
) -> None:
    """Draw images from a run's generator, a folder a class; nothing is rejected here."""
    from genmem.io.atomic import check_writable

    check_writable(out, suffixes=(".zip",))
    from genmem.training.gan.sampling import write_zip

    write_zip(run, n, out, seed=seed)
    print(f"images: {out}", file=sys.stderr)


def _tell(sentence: str) -> None:
    print("note:", sentence, file=sys.stderr)


def _tau(text: str | None) -> float | str | None:
    """`auto`, or a number."""
    from genmem.errors import UsageError

    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"--tau: expected auto or a distance in [0, 2], got {text!r}.") from error


def _settings(given: dict[str, Any], out: Path, config: Path | None, *, resume: bool) -> Any:
    """The run's settings: options before the configuration file before the model's own."""
    from genmem.errors import InputError, UsageError
    from genmem.training.gan.config import changed, check_used, make_settings

    if resume:
        if config is not None:
            raise UsageError("--resume goes on with the run's own config.json; leave --config out.")
        there = out / "config.json"
        if not there.is_file():
            raise InputError(f"{out}: there is no run to resume: config.json is missing.")
        settings = changed(make_settings(read_config(there)), given)
        check_used(settings, given)
        return settings
    configured = read_config(config) if config is not None else {}
    settings = make_settings(configured | given)
    check_used(settings, given, configured)
    return settings


def read_config(path: Path) -> dict[str, Any]:
    """Settings by name from a JSON file.

    Raises:
        InputError: it cannot be read, or is not an object.
    """
    import json

    from genmem.errors import InputError

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object of settings by name.")
    return found


train.command()(diffusion)
