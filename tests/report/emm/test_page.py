import re
from functools import partial

import pytest

from genmem.report.emm.page import render, write_emm_page
from genmem.report.emm.text import format_emm, format_size, percent
from genmem.study_results.emm import EmmResults
from genmem.training.emm.results import summarize_study
from genmem.training.emm.study import EmmStudy

from ...training.emm.factories import FakeBackend, build_study_config, save_images


@pytest.fixture
def study_config(tmp_path):
    """A function that builds the configuration of a study."""
    return partial(build_study_config, save_images(tmp_path / "images"))


@pytest.fixture
def results(study_config, tmp_path):
    """Results of a study whose names are hostile."""
    factors = (("labels", ("none", "true", "random:2")), ("skips", ("all", "4")))
    config = study_config(factors=factors, sizes=(4, 8, 16, 24))
    study = EmmStudy(config, tmp_path / "s", threads=1)

    def ratio(config, size, seed):
        labels = 20 if config.training.labels != "none" else 10
        return 1 / (1 + (size / (labels + seed)) ** 3)

    study.run(FakeBackend(ratio))
    document = summarize_study(study, notes=("a <note>",)).to_dict()
    document["source"] = "<b>train</b>\n.zip"
    result = document["curves"][0]["trials"][0]["result"]
    result["memorized_samples"][0]["nearest"] = "<script>.png"
    return EmmResults.from_dict(document)


def test_the_page_is_self_contained_and_escapes_other_people_s_names(results, tmp_path):
    write_emm_page(results, tmp_path / "emm.html")
    page = (tmp_path / "emm.html").read_text("utf-8")
    assert "&lt;b&gt;train&lt;/b&gt;" in page
    assert "<b>train" not in page
    assert "<script" not in page
    assert "a &lt;note&gt;" in page
    linked = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert linked
    assert all(one.startswith(("data:", "#")) for one in linked)


def test_the_page_shows_emm_brackets_ratios_differences_and_samples(results):
    page = render(results)
    for curve in results.curves:
        assert format_emm(curve.emm) in page
    assert "1 − ε = 90 %" in page
    assert "Difference to none, seed by seed" in page
    assert page.count("Its nearest training image") >= 8
    for heading in ("Conditioning", "Skip connections", "Over training", "What was trained"):
        assert heading in page


def test_a_study_at_fixed_sizes_or_without_a_training_has_a_page_too(study_config, tmp_path):
    config = study_config(every_size=True)
    study = EmmStudy(config, tmp_path / "s", threads=1)
    page = render(summarize_study(study))
    assert "No training is finished yet" in page
    assert "not finished" in page
    study.run(FakeBackend(lambda *_: 0.5))
    page = render(summarize_study(study))
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
    assert [format_size(x) for x in (4.531, 45.36, 453.6, 1071.4, 12_345)] == [
        "4.53",
        "45.4",
        "454",
        "1,070",
        "12,300",
    ]
