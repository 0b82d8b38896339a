import re
from functools import partial

import pytest

from genmem.report.emm.page import render, write_emm_page
from genmem.report.emm.text import emm_words, percent, size_words
from genmem.training.emm.results import findings
from genmem.training.emm.study import Study

from ...training.emm.small_models import Curve, build_request, save_images


@pytest.fixture
def request_of(tmp_path):
    """A function that builds a request of a study."""
    return partial(build_request, save_images(tmp_path / "images"))


@pytest.fixture
def document(request_of, tmp_path):
    """Findings of a study whose names are hostile."""
    factors = (("labels", ("none", "true", "random:2")), ("skips", ("all", "4")))
    request = request_of(factors=factors, sizes=(4, 8, 16, 24))
    study = Study(request, tmp_path / "s", threads=1)

    def ratio(configuration, count, seed):
        labels = 20 if configuration.training.labels != "none" else 10
        return 1 / (1 + (count / (labels + seed)) ** 3)

    study.go(Curve(ratio))
    found = findings(study, notes=("a <note>",))
    found["source"] = "<b>train</b>\n.zip"
    found["curves"][0]["exhibits"][0]["nearest"] = "<script>.png"
    return found


def test_the_page_is_self_contained_and_escapes_other_people_s_names(document, tmp_path):
    write_emm_page(document, tmp_path / "emm.html")
    page = (tmp_path / "emm.html").read_text("utf-8")
    assert "&lt;b&gt;train&lt;/b&gt;" in page
    assert "<b>train" not in page
    assert "<script" not in page
    assert "a &lt;note&gt;" in page
    linked = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert linked
    assert all(one.startswith(("data:", "#")) for one in linked)


def test_the_page_shows_emm_brackets_ratios_differences_and_exhibits(document):
    page = render(document)
    for curve in document["curves"]:
        assert emm_words(curve["emm"]) in page
    assert "1 − ε = 90 %" in page
    assert "Difference to none, seed by seed" in page
    assert page.count("Its nearest training image") >= 8
    for heading in ("Conditioning", "Skip connections", "Over training", "What was trained"):
        assert heading in page


def test_a_study_at_fixed_sizes_or_without_a_training_has_a_page_too(request_of, tmp_path):
    request = request_of(every_size=True)
    study = Study(request, tmp_path / "s", threads=1)
    page = render(findings(study))
    assert "No training is finished yet" in page
    assert "not finished" in page
    study.go(Curve(lambda *_: 0.5))
    page = render(findings(study))
    assert "Samples that replay one of 4 training images: 50 %." in page
    assert "EMM 4" not in page


def test_numbers_are_worded_without_false_precision():
    assert [percent(x) for x in (0, 0.001, 0.5, 0.999, 1)] == [
        "0 %",
        "<1 %",
        "50 %",
        ">99 %",
        "100 %",
    ]
    assert [size_words(x) for x in (4.531, 45.36, 453.6, 1071.4, 12_345)] == [
        "4.53",
        "45.4",
        "454",
        "1,070",
        "12,300",
    ]
