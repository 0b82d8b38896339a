"""One idea has one flag, one type and one help text in all commands."""

import re
from collections import defaultdict

import pytest
import typer
import typer.core

from genmem.cli import options
from genmem.cli.commands import app

FLAGS_WITH_SEVERAL_MEANINGS = {
    "--out": "a directory, a run, a study or a file",
    "--augment": "augmentations that an audit compares with, or DiffAugment",
    "--tau": "τ of MiFID, of rejection, or of each leaderboard",
    "--to": "the page of a competition, or the end of a range of sizes",
    "--learning-rate": "of both networks of a GAN, or scaled with the batch size",
    "--backbone": "one or several, of features or of rejection",
    "--samples": "images of a command, of each snapshot, or of each evaluation",
    "--evaluate-with": "a run may evaluate in no backbone, a study may not",
}
"""Flags whose help texts may differ, and what they mean in the different commands."""

RETIRED = {
    "--data": "--train",
    "--embedding": "--backbone",
    "--without-duplicates": "--drop-duplicates",
    "--n": "--samples",
    "--count": "--limit",
}
"""Flags that once named an idea that has another flag now."""


def commands(group=None, prefix=""):
    """Every command and command group, by its full name."""
    by_name = {}
    for name, command in (group or typer.main.get_group(app)).commands.items():
        by_name[prefix + name] = command
        if isinstance(command, typer.core.TyperGroup):
            by_name |= commands(command, f"{prefix}{name} ")
    return by_name


def flags():
    """(command, flag, parameter) of every option of every command."""
    return [
        (name, flag, parameter)
        for name, command in commands().items()
        for parameter in command.params
        if isinstance(parameter, typer.core.TyperOption)
        for flag in parameter.opts
        if flag.startswith("--") and flag != "--help"
    ]


def without_default(text):
    """A help text without what it says about the default, or where a value is required."""
    return re.sub(r"\s*\[(default: |required here).*?\]", "", text)


def test_a_flag_has_the_same_help_text_in_every_command():
    texts = defaultdict(lambda: defaultdict(list))
    for command, flag, parameter in flags():
        if flag not in FLAGS_WITH_SEVERAL_MEANINGS:
            texts[flag][without_default(parameter.help or "")].append(command)
    different = {flag: dict(by_text) for flag, by_text in texts.items() if len(by_text) > 1}
    assert not different


def test_a_shared_flag_has_the_shared_help_text():
    for command, flag, parameter in flags():
        if flag in options.HELP and flag not in FLAGS_WITH_SEVERAL_MEANINGS:
            assert without_default(parameter.help or "") == options.HELP[flag], f"{command} {flag}"


@pytest.mark.parametrize(("retired", "flag"), RETIRED.items())
def test_an_idea_has_one_flag(retired, flag):
    assert [command for command, used, _ in flags() if used == retired] == [], f"use {flag}"


def test_a_parameter_has_the_same_flag_in_every_command():
    names = defaultdict(set)
    for _, flag, parameter in flags():
        names[parameter.name].add(flag)
    assert {name: several for name, several in names.items() if len(several) > 1} == {}


def test_every_command_and_option_has_a_help_text():
    for name, command in commands().items():
        assert command.help, name
    for command, flag, parameter in flags():
        assert parameter.help, f"{command} {flag}"


def test_help_texts_are_sentences():
    for command, flag, parameter in flags():
        text = without_default(parameter.help or "")
        assert text[:1].isupper() or text.startswith("`"), f"{command} {flag}: {text}"
        assert text.endswith("."), f"{command} {flag}: {text}"


@pytest.mark.parametrize("group", ["train", "study", "arena"])
def test_a_command_group_prints_its_help_when_called_alone(group, capsys):
    from genmem.cli.app import run

    assert run([group]) == 0
    assert f"genmem {group}" in capsys.readouterr().out
