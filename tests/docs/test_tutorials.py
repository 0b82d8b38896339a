"""Every tutorial is a notebook that runs, without a network, and shows pictures."""

import re
import shutil
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

TUTORIALS = sorted(
    path
    for path in (Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md")
    if path.name != "index.md"
)


def notebook(page):
    """The code cells of a page, as a notebook."""
    text = page.read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@pytest.mark.filterwarnings("default")  # those of Jupyter are its own
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_and_shows_pictures(page, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path_factory.getbasetemp() / "tutorials-cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Sockets in a folder, not ports, which other tests may take in between; the path of a socket
    # may have 107 characters.
    sockets = Path(tempfile.mkdtemp(prefix="genmem-"))
    manager = AsyncKernelManager(transport="ipc", ip=str(sockets / "kernel"), kernel_name="python3")
    book = notebook(page)
    client = NotebookClient(
        book, km=manager, timeout=600, resources={"metadata": {"path": tmp_path}}
    )
    try:
        client.execute()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    outputs = [output for cell in book.cells for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
