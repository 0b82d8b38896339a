"""The report in a real browser: it opens without a complaint and fits a phone."""

import os
import re
import shutil
import subprocess

import pytest

from genmem.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
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


def opened(page, tmp_path, width):
    """The document as Chromium has it after loading, and what it wrote on its console."""
    assert CHROMIUM is not None, "CI installs Chromium"
    done = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
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


def test_the_page_loads_without_a_console_message(make_score, tmp_path):
    write_report(make_score(), tmp_path / "r.html")
    document, console = opened(tmp_path / "r.html", tmp_path, 1280)
    assert console == []
    assert "samples.zip against train.zip" in document


@pytest.mark.parametrize("width", [500, 1280])
def test_nothing_sticks_out_at_the_side(make_score, tmp_path, width):
    write_report(make_score(), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    # The page itself allows no script; a copy of it without that rule is measured.
    page = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", MEASURE)
    (tmp_path / "measured.html").write_text(page, encoding="utf-8")
    document, _ = opened(tmp_path / "measured.html", tmp_path, width)
    overflow = re.search(r'data-overflow="(-?\d+)"', document)
    assert overflow is not None
    assert int(overflow[1]) <= 0
