"""The benchmark command itself, at sizes whose numbers mean nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torchmetrics", reason="needs the extra `peers`")
pytest.importorskip("pytorch_fid", reason="needs the extra `peers`")
pytest.importorskip("cleanfid", reason="needs the extra `peers`")

ROOT = Path(__file__).parents[2]

ROWS = {
    "fd-moments": ["torch-fidelity", "pytorch-fid", "clean-fid"],
    "fd-features": ["torch-fidelity", "pytorch-fid"],
    "kd": ["torch-fidelity", "torch-fidelity, given float64"],
    "inception-score": ["torch-fidelity"],
    "precision-recall": ["torch-fidelity", "torch-fidelity's precision, recall"],
    "distance": [
        "torch.mm in float32 (sgemm)",
        "torchmetrics (keeps float64)",
        "torchmetrics' function, given float32",
    ],
    "scale": ["the same against 500 rows"],
}
"""Who stands in each case's rows. The cases of networks and of ties are left to the command."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "performance.md"
    chosen = [part for case in ROWS for part in ("--only", case)]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--write", str(path), *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path.read_text(encoding="utf-8")


def test_the_page_has_every_row_measured_and_none_skipped(page):
    lines = [line for line in page.splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[1] for row in cells] == [peer for peers in ROWS.values() for peer in peers]
    for row in cells:
        assert re.match(r"[\d.e+-]+(x| %) \(", row[4]), row
        assert "skipped" not in row[4]


def test_genmem_and_its_peers_find_the_same_values(page):
    lines = [line for line in page.splitlines() if line.startswith("| ")][2:]
    differences = [line.strip("|").split("|")[7].split(";")[0].strip() for line in lines]
    found = [float(text) for text in differences if text != "–"]
    assert len(found) == 12
    assert max(found) < 1e-3


def test_the_page_names_the_machine_but_no_host_and_no_path(page):
    assert "- CPU: " in page
    assert "- Versions: genmem " in page
    assert "Quick sizes: these are not results." in page
    assert str(ROOT) not in page
    assert not re.search(r"(^|\s)/(home|work|root|tmp|usr)/", page)
