"""The analysis' page and figures."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from genmem.calibration import Board, Labels, analyze
from genmem.errors import UsageError
from genmem.report.common.plotting import palette
from genmem.report.competition.figures import draw_figures
from genmem.report.competition.page import render, write_analysis

PROVENANCE = {"versions": {"genmem": "0.1.0"}, "seed": 0}
EVIL = "<script>$x_{$</script>"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """An analysis of 60 entries on two boards, with labels and a board that look like markup."""
    rng = np.random.default_rng(0)
    lines = ["f,d,g,e,label"]
    for label, low in (("ok", 0.3), (EVIL, 0.1), ("", 0.2)):
        for _ in range(20):
            first, second = low + 0.1 * rng.random(2)
            lines.append(f"{100 * first:.4f},{first:.6f},{90 * second:.4f},{second:.6f},{label}")
    path = tmp_path_factory.mktemp("table") / "results.csv"
    path.write_text("\n".join(lines))
    return analyze(
        path,
        boards={
            "One": Board(fd="f", distance="d", tau=0.25),
            '"><b>': Board(fd="g", distance="e"),
        },
        label="label",
        identifier=None,
        labels=Labels(honest=("ok",), cheating=(EVIL,)),
        top=5,
    )


@pytest.fixture(scope="module")
def figures(analysis):
    return draw_figures(analysis)


@pytest.fixture(scope="module")
def page(analysis, figures):
    return render(analysis, figures, provenance=PROVENANCE)


def test_the_page_asks_for_nothing_and_runs_nothing(page):
    assert "<script" not in page
    assert "<b>" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_no_two_elements_of_the_page_share_an_id_and_every_reference_has_its_target(page):
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
    assert references
    assert {href or url for href, url in references} <= set(ids)


def test_the_page_holds_every_figure_and_table(page, analysis, figures):
    assert len(figures) == 9
    for figure in figures:
        assert f'id="{figure.name}"' in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))
    for text_part in ("results.csv", "60 entries: 20 honest, 20 cheating, 20 not reviewed", "d(M)"):
        assert text_part in text
    assert page.count("<caption>") == page.count("<table")
    assert analysis.digest in page


def test_figures_on_the_page_take_the_style_sheets_colors(figures):
    for figure in figures:
        assert "var(--ink)" in figure.inline
        assert not set(palette().values()) & set(re.findall(r"#[0-9a-f]{6}", figure.inline))
        assert "<metadata" not in figure.inline


def test_figure_files_are_whole_pictures(figures):
    for figure in figures:
        ElementTree.fromstring(figure.svg)
        with Image.open(io.BytesIO(figure.png)) as picture:
            assert min(picture.size) > 600
        assert figure.title
        assert figure.caption
        assert figure.description
    assert len({figure.name for figure in figures}) == len(figures)


def test_labels_are_drawn_as_they_are_written(figures):
    assert "&lt;script&gt;$x_{$&lt;/script&gt; (20)" in figures[0].svg.decode()


def test_the_same_analysis_gives_the_same_bytes(analysis, figures):
    assert draw_figures(analysis) == figures


def test_the_folder_holds_page_figures_and_numbers(analysis, tmp_path):
    write_analysis(analysis, tmp_path / "out", provenance=PROVENANCE)
    numbers = json.loads((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert numbers["entries"] == 60
    assert numbers["provenance"] == PROVENANCE
    assert len(list((tmp_path / "out" / "figures").iterdir())) == 18
    assert str(tmp_path) not in (tmp_path / "out" / "analysis.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_refused(analysis, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; name another folder"):
        write_analysis(analysis, tmp_path / "file" / "out", provenance=PROVENANCE)


def test_a_later_analysis_replaces_an_earlier_one_and_no_other_folder(analysis, tmp_path):
    for _ in range(2):
        write_analysis(analysis, tmp_path / "out", provenance=PROVENANCE)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"analysis.html", "analysis.json", "figures"}
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UsageError, match=r"expected an empty folder .* found holiday.jpg"):
        write_analysis(analysis, tmp_path, provenance=PROVENANCE)


def test_the_callers_matplotlib_settings_are_left_alone(analysis, figures):
    import matplotlib

    with matplotlib.rc_context({"font.size": 33}):
        assert draw_figures(analysis)[0].svg == figures[0].svg
        assert matplotlib.rcParams["font.size"] == 33
