"""The documentation site builds without a warning, and documents every public name."""

import re
from pathlib import Path

import pytest
from sphinx.cmd.build import build_main

import genmem

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.filterwarnings("default")  # those of Sphinx's extensions are theirs
def test_the_site_builds_and_every_link_inside_it_leads_somewhere(tmp_path, capsys):
    options = [
        "-q",
        "--fail-on-warning",
        "--keep-going",
        "-b",
        "html",
        "-D",
        "nb_execution_mode=off",
    ]
    code = build_main([*options, str(DOCS), str(tmp_path / "html")])
    assert code == 0, capsys.readouterr().err
    start = (tmp_path / "html" / "start.html").read_text(encoding="utf-8")
    assert "Start in five minutes" in start
    assert "/home/" not in start


def test_the_api_pages_have_every_public_name():
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto\w+:: genmem\.(\w+)$", text, flags=re.MULTILINE))
    assert documented == set(genmem.__all__) - {"__version__"}
