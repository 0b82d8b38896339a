"""The comparison as a page, as Markdown, for LaTeX and on the command line."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import genmem
from genmem.cli.app import run
from genmem.report.comparison.page import render

from ..browser import needs_chromium, overflow, visited


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folders of images: train, test, an honest model and a copying one."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(4)
    sets = {
        name: rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
        for name in ("train", "test", "a_model", "copier")
    }
    sets["copier"][:30] = sets["train"][:30]
    for name, images in sets.items():
        (folder / name).mkdir()
        for place, pixels in enumerate(images):
            Image.fromarray(pixels).save(folder / name / f"{place:03d}.png")
    return folder


@pytest.fixture(scope="module")
def comparison(files):
    return genmem.compare(
        {"a_model": files / "a_model", "50 % & <b>copies</b>|": files / "copier"},
        train=files / "train",
        test=files / "test",
        backbone="pixels",
    )


@needs_chromium
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_opens_without_complaint_and_fits(comparison, browser, tmp_path, width):
    genmem.write_comparison(comparison, tmp_path / "c.html")
    with visited(browser, tmp_path / "c.html", width=width) as (page, complaints):
        assert complaints == []
        assert overflow(page) <= 0
        headings = page.locator(".compared thead th").all_inner_texts()
        assert headings == ["a_model", "50 % & <b>copies</b>|", "better"]
        assert page.locator(".verdict.copying").count() == 1
        assert page.locator(".gallery img").count() == 24
        assert page.locator(".gallery img").evaluate_all(
            "all => all.every((image) => image.naturalWidth)"
        )


def test_a_difference_of_shares_has_its_sign(comparison):
    page = render(comparison)
    assert '<td class="value">−50.0 %</td>' in page
    assert '<td class="value">under' not in page


def test_markdown_has_a_column_a_model(comparison):
    lines = genmem.comparison_markdown(comparison).splitlines()
    assert lines[0] == r"| metric | a\_model | 50 % & \<b>copies\</b>\| |"
    assert lines[1] == "|---|--:|--:|"
    assert lines[2] == "| verdict | Open | Copying |"
    [copied] = [line for line in lines if line.startswith("| Copied fraction")]
    assert re.search(r"\*\*[\d.]+ %\*\* \(0 to [\d.]+ %\)", copied)
    assert all(line.count(" | ") == 2 for line in lines[2:6])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(comparison, tmp_path):
    document = (
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}"
        f"\\begin{{document}}{genmem.comparison_latex(comparison)}\\end{{document}}"
    )
    (tmp_path / "t.tex").write_text(document)
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True)
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")


def test_latex_escapes_names(comparison):
    text = genmem.comparison_latex(comparison)
    assert r"a\_model & 50 \% \& <b>copies</b>| \\" in text
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {3}
    assert r"\textbf{0 \%}" in text


def test_the_command_writes_every_form(files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(files)
    out = {name: str(tmp_path / name) for name in ("r.html", "j.json", "t.md", "t.tex")}
    code = run(
        ["compare", "a_model", "copier/=copies", "--train", "train", "--test", "test",
         "--backbone", "pixels", "--metrics", "fd,copied_fraction", "--report", out["r.html"],
         "--json", out["j.json"], "--markdown", out["t.md"], "--latex", out["t.tex"]]
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 0
    assert "copies" in printed.out
    assert "place" in printed.out
    assert "note: copies: copying" in printed.err
    document = json.loads((tmp_path / "j.json").read_text())
    assert list(document["scores"]) == ["a_model", "copies"]
    assert (tmp_path / "t.md").read_text().startswith("| metric | a\\_model | copies |")
    assert (tmp_path / "t.tex").read_text().startswith("\\begin{tabular}{lrr}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a_model", "copier=a_model"], "names two models"),
        (["a_model=x", "copier= x"], "names two models"),
        (["a_model"], "two models or more"),
        (["a_model", "copier", "--json", "-", "--latex", "-"], "both write to stdout"),
        (["a_model", "copier", "--report", "x.pdf"], ".html"),
    ],
)
def test_wrong_arguments_are_refused(files, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    assert run(["compare", *arguments, "--train", "train", "--backbone", "pixels"]) == 2
    assert message in capsys.readouterr().err
