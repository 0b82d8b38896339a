"""Examples that end the help text of each command: what one would type first."""

from __future__ import annotations

from typing import Any

import typer

EXAMPLES = {
    "": (
        "genmem demo",
        "genmem score generated/ --train train/ --test heldout/ --backbone efficientnet-lite0",
        "genmem audit generated/ --train train/ --test heldout/ --out audit/",
    ),
    "score": (
        "genmem score generated/ --train train/ --test heldout/ --backbone efficientnet-lite0",
        "genmem score generated.zip --train train.zip --metrics fid,kid --json -",
        "genmem score generated/ --train train.genmem --report report.html",
    ),
    "compare": (
        "genmem compare a/=DCGAN b/=BigGAN --train train/ --test heldout/ --report comparison.html",
    ),
    "audit": (
        "genmem audit generated/ --train train/ --test heldout/ --out audit/",
        "genmem audit generated/ --train train/ --test heldout/ --augment flip --out audit/",
    ),
    "query": ("genmem query image.png --train train.genmem --report query.html",),
    "report": (
        "genmem report audit/",
        "genmem report audit/ --marks marks.json --pdf",
    ),
    "duplicates": (
        "genmem duplicates train/ --out duplicates/",
        "genmem duplicates train.zip --against heldout.zip --out duplicates/",
    ),
    "calibrate": (
        "genmem calibrate a/=honest b/=honest c/=cheating --train train/ --json tau.json",
    ),
    "analyze": ("genmem analyze RESULTS.csv --out analysis/",),
    "cheat": ("genmem cheat sup --train train/ --samples 1000 --out copies.zip",),
    "features": ("genmem features train/ --backbone efficientnet-lite0 --out train.npy",),
    "submit": (
        "genmem submit generated.zip --to https://arena.example.org/competitions/dogs/ --wait",
    ),
    "demo": ("genmem demo", "genmem demo --out digits/ --backbone pixels"),
    "reference": (
        "genmem reference train/ --test heldout/ --backbone efficientnet-lite0 --out train.genmem",
    ),
    "reference build": (
        "genmem reference train/ --test heldout/ --backbone efficientnet-lite0 --out train.genmem",
    ),
    "reference add": ("genmem reference add train.genmem more/",),
    "reference merge": ("genmem reference merge a.genmem b.genmem --out both.genmem",),
    "reference verify": ("genmem reference verify train.genmem",),
    "reference show": ("genmem reference show train.genmem",),
    "reference export": ("genmem reference export train.genmem stats.npz",),
    "arena": ("genmem arena demo",),
    "arena init": ("genmem arena init DIR",),
    "arena serve": ("genmem arena serve DIR --port 8080",),
    "arena worker": ("genmem arena worker DIR",),
    "arena create": ("genmem arena create DIR competition.yaml",),
    "arena organizer": ("genmem arena organizer DIR you@example.org",),
    "arena export": ("genmem arena export DIR dogs OUT",),
    "arena demo": ("genmem arena demo", "genmem arena demo DIR --port 8080"),
    "backbones": ("genmem backbones", "genmem backbones check efficientnet-lite0"),
    "backbones fetch": ("genmem backbones fetch sscd",),
    "backbones check": ("genmem backbones check efficientnet-lite0",),
    "train": ("genmem train gan --model dcgan --train train/ --tau auto --out RUN",),
    "train gan": (
        "genmem train gan --model dcgan --train train/ --tau auto --out RUN",
        "genmem train gan --out RUN --resume",
    ),
    "train diffusion": (
        "genmem train diffusion --train train/ --limit 1000 --out RUN",
        "genmem train diffusion --out RUN --resume",
    ),
    "train sample": ("genmem train sample RUN --samples 1000 --out generated.zip",),
    "study": ("genmem study rejection --train train/ --test heldout/ --out STUDY",),
    "study rejection": (
        "genmem study rejection --train train/ --test heldout/ --tau 0,auto --out STUDY",
    ),
    "study denoiser": ("genmem study denoiser RUN --train train/ --out DIR",),
    "study emm": ("genmem study emm --train train/ --from 500 --to 4000 --out STUDY",),
}
"""By the command's words after `genmem`; "" is `genmem` itself. Every command must have one."""


def add_examples(app: typer.Typer, prefix: str = "") -> None:
    """Give each command of `app`, and of its groups, the examples under its name."""
    if not prefix:
        app.info.epilog = _epilog("")
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        command.epilog = _epilog(prefix + name)
    for group in app.registered_groups:
        inner: Any = group.typer_instance
        name = f"{prefix}{inner.info.name}"
        group.epilog = _epilog(name)
        add_examples(inner, f"{name} ")


def _epilog(name: str) -> str:
    """The examples of one command, each on a line of its own."""
    # After a \b nothing is wrapped.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[name])
