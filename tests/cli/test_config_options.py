"""Options, `--config` files and documentation come from one model for each trainer."""

from pathlib import Path

import pytest

from genmem.cli.app import run
from genmem.cli.config_options import build_config, flag_of, options_table
from genmem.errors import UsageError
from genmem.training.common.config import ImageSelection
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.gan.config import GanConfig

DOCS = Path(__file__).parents[2] / "docs" / "training-options.md"
COMMANDS = {"gan": [GanConfig], "diffusion": [ImageSelection, DiffusionConfig]}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_is_an_option_with_its_default(command, capsys):
    assert run(["train", command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for line in options_table(COMMANDS[command]).splitlines()[2:]:
        option, default = (cell.strip(" `") for cell in line.split("|")[1:3])
        assert f" {option}" in text
        if default not in ("required", "no", "none"):
            assert f"[default: {default}]" in text, option


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documentation_has_the_options_of_the_models(command):
    assert options_table(COMMANDS[command]) in DOCS.read_text()


def test_an_error_names_the_option_that_was_given_and_the_setting_of_a_file():
    values = {"model": "dcgan", "train": "-"}
    with pytest.raises(UsageError, match=r"^--batch-size: expected at least 2, got 1"):
        build_config(GanConfig, values | {"batch_size": 1})
    with pytest.raises(UsageError, match=r"^batch_size: expected at least 2, got 1"):
        build_config(GanConfig, values, {"batch_size": 1})


def test_options_take_precedence_over_a_file():
    config = build_config(GanConfig, {"model": "dcgan", "steps": 3}, {"train": "-", "steps": 9})
    assert (config.model, config.steps) == ("dcgan", 3)
    assert flag_of("evaluate_every") == "--evaluate-every"
