"""Every tutorial is a notebook that runs, without a network, and shows pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

PROGRAM = Path(__file__).with_name("run_notebook.py")
TUTORIALS = sorted(
    path
    for path in (Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md")
    if path.name != "index.md"
)

PROGRESS = re.compile(r"it/s|TqdmWarning|^\s*$")
"""Bars, and what they say where Jupyter's widgets are not installed."""


def notebook(page):
    """The code cells of a page, as a notebook."""
    text = page.read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_and_shows_pictures(page, tmp_path, tmp_path_factory):
    nbformat.write(notebook(page), tmp_path / "tutorial.ipynb")
    cache = str(tmp_path_factory.getbasetemp() / "tutorials-cache")
    process = subprocess.run(
        [sys.executable, str(PROGRAM), "tutorial.ipynb"],
        cwd=tmp_path,
        env={**os.environ, "GENMEM_CACHE": cache, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    book = nbformat.read(tmp_path / "tutorial.ipynb", as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not [text for text in errors if not PROGRESS.search(text)]
    assert any("image/png" in output.get("data", {}) for output in outputs)
