"""`genmem cheat`: images as the competition's cheats would have submitted them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import typer.core

from genmem.cli.options import OutZip, Samples, Seed, SkipBroken, Train, option


class CheatCommand(typer.core.TyperCommand):
    """A command whose help lists the registered cheats; they are loaded when it is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill in what the registry knows, and print the help."""
        from genmem.cheats import registry

        cheats = registry()
        listed = "; ".join(f"{name}: {cheat.description}" for name, cheat in cheats.items())
        mixes = {name: cheat.default_mix for name, cheat in cheats.items() if cheat.default_mix}
        augmenting = next(cheat for cheat in cheats.values() if cheat.augmentations)
        parameter: Any
        for parameter in self.params:
            if parameter.name == "method":
                parameter.help = f"Cheat to use. {listed}."
            elif parameter.name == "mix":
                blending = " and ".join(mixes)
                parameter.help = f"Weight (0.5 to 1) of the first image when {blending} blend two."
                parameter.show_default = ", ".join(f"{name} {mix}" for name, mix in mixes.items())
            elif parameter.name == "augmentation":
                parameter.metavar = "|".join(augmenting.augmentations)
        super().format_help(ctx, formatter)


Method = Annotated[str, typer.Argument(metavar="METHOD", help="Cheat to use.", show_default=False)]
SideOfImages = Annotated[
    int | None, option("--size", metavar="SIDE", min=8, max=4_096, show_default="unchanged")
]
Mix = Annotated[
    float | None,
    typer.Option(
        metavar="WEIGHT",
        help="Weight (0.5 to 1) of the first image where a cheat blends two.",
    ),
]
Augmentation = Annotated[
    str | None,
    typer.Option(
        help="How aug changes an image. mixture draws one for each image.", show_default="mixture"
    ),
]


def cheat(
    method: Method,
    train: Train,
    out: OutZip,
    samples: Samples = 10_000,
    size: SideOfImages = None,
    mix: Mix = None,
    augmentation: Augmentation = None,
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """Generate images from training images by one of the cheats seen in a competition.

    Use the images to calibrate thresholds (`genmem calibrate out.zip=cheating …`) and test
    defenses.
    """
    from genmem.cli.console import print_notes
    from genmem.cli.outputs import check_outputs
    from genmem.io.atomic import check_writable
    from genmem.progress import progress_on_stderr

    check_writable(out, suffixes=(".zip",))
    check_outputs({"--out": str(out)}, inputs={"--train": train})

    from genmem.cheats import CheatOptions, generate_images, load_training_images, write_images
    from genmem.cheats.registry import check_options
    from genmem.images import broken_file_notes, open_images, side_file_notes

    options = CheatOptions(mix=mix, augmentation=augmentation)
    check_options(method, count=samples, seed=seed, options=options)
    with progress_on_stderr() as progress, open_images(train) as source:
        images = load_training_images(source, size=size, skip_broken=skip_broken, progress=progress)
        generated = generate_images(
            method, images, count=samples, seed=seed, options=options, progress=progress
        )
        write_images(generated, out, progress=progress)
    left_out = len(source) - len(images)
    print_notes([*broken_file_notes(left_out), *side_file_notes(source)])
    print(f"images: {out}", file=sys.stderr)
