"""The scripts of `examples/` run as they stand, and say what their list says."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory that all scripts share, so that digits and features are made once."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_its_results(script, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GENMEM_CACHE", str(folder / "cache"))
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out


def test_the_list_of_examples_has_every_script():
    listed = re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [path.name for path in SCRIPTS]
