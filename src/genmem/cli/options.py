"""The options that several commands share: one flag, one type and one help text for each idea.

Use a type from here as a parameter's annotation (`train: Train`). Where a command's default needs
words, or where it accepts other values, build the option with `option("--train", …)`, which takes
the help text from `HELP`. Import this module at the top of a command's file: typer evaluates the
annotations in that file's namespace. `tests/cli/test_options.py` holds all commands to this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genmem.metrics.registry import BUILT_IN, LARGEST_SEED

SOURCE = (
    "folder, .zip, .tar, .parquet, .npy/.npz, pattern ('shards/{000..099}.tar'), URL, or "
    "hf:DATASET[:split]"
)

HELP = {
    "--train": f"Training images: a {SOURCE}.",
    "--test": "Held-out images: like the training images, but not used for training.",
    "--backbone": "Backbone that computes the features (see `genmem backbones`).",
    "--weights": "Weights file of the backbone.",
    "--preprocess": "Scale and size of the images for a network file: SCALE or SCALE,SIZE, such as "
    "`imagenet,288`. SCALE is uint8, unit, symmetric, imagenet or clip; SIZE is a shorter side or "
    "288x288.",
    "--neighbors": "Nearest training images to list per image.",
    "--metrics": f"Metrics to compute: {', '.join(BUILT_IN)}, or metrics of installed plugins. "
    "`fid` and `kid` are aliases of `fd` and `kd`.",
    "--samples": "Number of images to generate.",
    "--limit": "Use only this many training images.",
    "--size": "Crop images to their central square and resize them to this many pixels a side.",
    "--drop-duplicates": "Leave out images that repeat another one.",
    "--skip-broken": "Leave out images that cannot be read.",
    "--classes": "Use the folders of the training images as classes.",
    "--label": "Column of labels; a blank label means that nobody reviewed the entry.",
    "--id": "Column of unique ids.",
    "--honest": "Labels of honest entries.",
    "--cheating": "Labels of cheating entries.",
    "--model": "Model architecture.",
    "--batch-size": "Global batch size.",
    "--epochs": "Passes over the training set.",
    "--steps": "Optimizer steps.",
    "--snapshots": "Number of evenly spaced snapshots of the weights.",
    "--channels": "Base number of channels of the network.",
    "--warm-up": "Generator steps before rejection begins.",
    "--precision": "Floating-point precision of training. `bf16` and `fp16` need a GPU.",
    "--config": "JSON file of options by name. Command-line options take precedence.",
    "--resume": "Resume the run in the output directory from its last checkpoint.",
    "--seed": "Random seed.",
    "--seeds": "Number of repetitions, with seeds 0, 1, …, N − 1.",
    "--processes": "Number of runs at the same time on this machine.",
    "--ray": "Work on a Ray cluster whose machines all see the same files; `local` starts one.",
    "--workers": "Number of worker processes on this machine (extra `scale`).",
    "--dry-run": "Print what the command costs (images, bytes, pairs, time), and stop.",
    "--device": "Device to compute on.",
    "--json": "Write the results as JSON to FILE, or to standard output if FILE is `-`.",
    "--report": "Write an HTML report.",
    "--pdf": "Write report.pdf into the audit's folder: the evidence as a document to sign.",
    "--host": "Address to listen on.",
    "--port": "Port to listen on.",
}
"""The help text of each shared option, by flag. It is the same in every command."""


def option(flag: str, **settings: Any) -> Any:
    """A shared option for a command that gives it another type, metavar or default.

    Args:
        flag: a key of `HELP`, such as "--train".
        settings: arguments of `typer.Option`. `show_default` takes the words for a default that
            is None.
    """
    return typer.Option(flag, help=HELP[flag], **settings)


def out_option(metavar: str, text: str) -> Any:
    """`--out`, with the help text of what the command writes."""
    return typer.Option("--out", metavar=metavar, help=text)


Generated = Annotated[
    str, typer.Argument(metavar="GENERATED", help=f"Generated images: a {SOURCE}.")
]

Train = Annotated[str, option("--train", metavar="SOURCE")]
OptionalTrain = Annotated[str | None, option("--train", metavar="SOURCE")]
Test = Annotated[str | None, option("--test", metavar="SOURCE")]
RequiredTest = Annotated[str, option("--test", metavar="SOURCE")]

Neighbors = Annotated[int, option("--neighbors", metavar="K", min=1)]

Backbone = Annotated[str, option("--backbone", metavar="NAME")]
ReferenceBackbone = Annotated[
    str | None,
    option("--backbone", metavar="NAME", show_default="inception, or the first of a reference"),
]
ScoreBackbones = Annotated[
    str | None,
    option("--backbone", metavar="NAME,…", show_default="inception, or the first of a reference"),
]
Backbones = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME,…",
        help="Backbones that compute the features (see `genmem backbones`).",
    ),
]
ReferenceBackbones = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="NAME,…",
        help="Backbones that compute the features (see `genmem backbones`).",
        show_default="efficientnet-lite0,pixels@64, or those of a reference",
    ),
]
MetricNames = Annotated[str | None, option("--metrics", metavar="A,B,…", show_default="all")]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="Compute what a tool computes, as it does: adm, edm, cleanfid, pytorch-fid, dgm-eval "
        "or torch-fidelity.",
        show_default="genmem's own way",
    ),
]
Tau = Annotated[
    str | None,
    typer.Option(
        metavar="T|FILE",
        help="Threshold on the memorization distance below which MiFID penalizes: a number, or the "
        "JSON file of `genmem calibrate`.",
        show_default="the published τ of the backbone, if there is one",
    ),
]

Weights = Annotated[str | None, option("--weights", metavar="FILE")]
Preprocess = Annotated[
    str | None, option("--preprocess", metavar="SCALE[,SIZE]", show_default="of the file")
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], option("--device")]
TrainingDevice = Annotated[Literal["auto", "cpu", "cuda"], option("--device")]
Precision = Annotated[Literal["full", "bf16", "fp16"], option("--precision")]

Samples = Annotated[int, option("--samples", metavar="N", min=1, max=1_000_000)]
Size = Annotated[int | None, option("--size", metavar="SIDE", show_default="unchanged")]
DropDuplicates = Annotated[bool, option("--drop-duplicates")]
SkipBroken = Annotated[bool, option("--skip-broken")]

Ray = Annotated[str | None, option("--ray", metavar="ADDRESS|local")]
Workers = Annotated[int, option("--workers", metavar="N")]
DryRun = Annotated[bool, option("--dry-run")]

Seed = Annotated[int, option("--seed", metavar="N", min=0, max=LARGEST_SEED)]
Seeds = Annotated[int, option("--seeds", metavar="N")]
Processes = Annotated[int, option("--processes", metavar="N")]
Resume = Annotated[bool, option("--resume")]
Config = Annotated[Path | None, option("--config", metavar="FILE.json")]

Json = Annotated[str | None, option("--json", metavar="FILE|-")]
Report = Annotated[str | None, option("--report", metavar="FILE.html")]

OutDirectory = Annotated[
    Path,
    out_option("DIR", "Output directory. An earlier result of the same command in it is replaced."),
]
OutStudy = Annotated[
    Path, out_option("DIR", "Output directory. An existing study in it is resumed.")
]
OutRun = Annotated[Path, out_option("RUN", "Output directory of the run.")]
OutZip = Annotated[Path, out_option("FILE.zip", "Output file.")]
OutNpy = Annotated[Path, out_option("FILE.npy", "Output file.")]

LabelColumn = Annotated[str, option("--label", metavar="COLUMN")]
HonestLabels = Annotated[
    str | None, option("--honest", metavar="A,B,…", show_default="honest,non-mem")
]
CheatingLabels = Annotated[
    str | None, option("--cheating", metavar="A,B,…", show_default="cheating,mgan,sup,aug,ae")
]


def command_group(name: str, description: str) -> typer.Typer:
    """A command with subcommands (`genmem train …`), which prints its help when called alone."""
    group = typer.Typer(
        name=name,
        help=description,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @group.callback(invoke_without_command=True)
    def print_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())

    del print_help
    return group
