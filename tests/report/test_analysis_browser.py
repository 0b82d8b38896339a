"""The analysis' page in a real browser: no complaint, and nothing sticks out on a phone."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from genmem.calibration import Board, analyze
from genmem.report.analysis import PAGE, write_analysis

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
]
MEASURE = (
    "<script>document.documentElement.dataset.overflow ="
    " document.documentElement.scrollWidth - window.innerWidth</script></body>"
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="needs Chromium (Debian: chromium)"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    rng = np.random.default_rng(0)
    lines = ["f,d,labels"]
    for label, low in (("honest", 0.3), ("mgan", 0.1)):
        lines += [f"{100 * d:.4f},{d:.6f},{label}" for d in low + 0.1 * rng.random(30)]
    (folder / "r.csv").write_text("\n".join(lines))
    boards = {name: Board(fd="f", distance="d", tau=0.25) for name in ("first", "second")}
    found = analyze(folder / "r.csv", boards=boards, identifier=None, top=10)
    write_analysis(found, folder / "out", provenance={"seed": 0})
    return folder / "out" / PAGE


def opened(page, profile, width):
    assert CHROMIUM is not None, "CI installs Chromium"
    done = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},900",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_loads_without_a_console_message(page, tmp_path):
    document, console = opened(page, tmp_path / "profile", 1280)
    assert console == []
    assert document.count("<svg") == 9


@pytest.mark.parametrize("width", [500, 1280])
def test_nothing_sticks_out_at_the_side(page, tmp_path, width):
    # The page itself allows no script; a copy of it without that rule is measured.
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    (tmp_path / "measured.html").write_text(text.replace("</body>", MEASURE), encoding="utf-8")
    document, _ = opened(tmp_path / "measured.html", tmp_path / "profile", width)
    overflow = re.search(r'data-overflow="(-?\d+)"', document)
    assert overflow is not None
    assert int(overflow[1]) <= 0
