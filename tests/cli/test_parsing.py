"""The record of a command in a result: what somebody signs is what ran."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from genmem.cli.parsing import recorded_command

app = typer.Typer()
commands = []


@app.command()
def audit(
    context: typer.Context,
    generated: str,
    train: Annotated[str, typer.Option("--train")] = "train",
    local: Annotated[bool | None, typer.Option("--local/--no-local")] = None,
    images: Annotated[bool, typer.Option("--images/--no-images")] = True,
    power: Annotated[bool, typer.Option("--power")] = False,
    level: Annotated[float, typer.Option("--level")] = 0.05,
    space: Annotated[list[str] | None, typer.Option("--space")] = None,
) -> None:
    """A command with each kind of option."""
    commands.append(recorded_command(context))


@pytest.mark.parametrize(
    ("arguments", "recorded"),
    [
        (["g", "--no-local"], "g --no-local"),
        (["g", "--local", "--power"], "g --local --power"),
        (["g", "--no-images"], "g --no-images"),
        (["g", "--images"], "g"),
        (["/home/someone/my images.zip", "--train", "a b"], "'my images.zip' --train 'a b'"),
        (["g", "--train", "pixels@64,/home/someone/b.onnx"], "g --train pixels@64,b.onnx"),
        (
            ["g", "--level", "0.1", "--space", "a", "--space", "b c"],
            "g --level 0.1 --space a --space 'b c'",
        ),
    ],
)
def test_a_recorded_command_can_be_run_again(arguments, recorded):
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert commands[-1].split(" ", 1)[1] == recorded
