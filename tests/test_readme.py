"""What the front pages promise is there: files behind links, commands and their options."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import typer.core

from genmem.cli.commands import app
from genmem.cli.examples import EXAMPLES

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts),
]


def links(page):
    """The targets of links and images that are files of this repository."""
    targets = re.findall(r"\]\(([^)\s]+)", page.read_text(encoding="utf-8"))
    return [target for target in targets if not re.match(r"[a-z]+:|#", target)]


def commands(page):
    """The `genmem …` lines of a page's code blocks, as they are written."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [
        line.strip() for kind, block in blocks if "{" not in kind for line in block.splitlines()
    ]
    return [line for line in lines if re.match("genmem [a-z]", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page):
    for target in links(page):
        assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"


def test_the_readme_has_links_and_commands_to_check():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80
    assert links(ROOT / "README.md")
    assert commands(ROOT / "README.md")
    assert commands(ROOT / "docs" / "rejection.md")


WRITTEN = [line for page in PAGES for line in commands(page)]
IN_HELP = [line for lines in EXAMPLES.values() for line in lines]


@pytest.mark.parametrize("line", list(dict.fromkeys([*WRITTEN, *IN_HELP])))
def test_every_command_of_the_pages_exists_with_its_options(line):
    _, name, *words = shlex.split(line, comments=True)
    known = typer.main.get_group(app).commands
    assert name in known
    command = known[name]
    if isinstance(command, typer.core.TyperGroup) and words:
        default = getattr(command, "default_command", None)
        if default is None or words[0] in command.commands:
            name, *words = words
        else:
            name = default
        assert name in command.commands
        command = command.commands[name]
    options = {option for one in command.params for option in one.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options
    with command.make_context(name, words):
        pass  # it parses: nothing is missing, nothing is too much
