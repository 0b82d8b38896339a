import json

import pytest

from genmem.cli.study_denoiser import _with_neighbors
from genmem.errors import UsageError
from genmem.report.denoiser.page import check_denoiser_folder, render, verdict, write_denoiser
from genmem.training.diffusion import OptimalDenoiser, evaluate_denoiser
from genmem.training.diffusion.sampler import Sampling, Schedule


@pytest.fixture
def found(made):
    return evaluate_denoiser(
        OptimalDenoiser(made.pixels),
        made,
        samples=30,
        points=1,
        sampling=Sampling(schedule=Schedule(steps=6)),
    )


@pytest.fixture
def document(found):
    return {
        "model": {"name": "<b>optimum</b>", "facts": {"kind": "closed form"}},
        **found.to_dict(),
        "provenance": {"seed": 0},
    }


def result(memorized, low, high, of=1000):
    return {
        "value": memorized / of,
        "n": {"generated": of},
        "parts": {"memorized": memorized},
        "interval": {"low": low, "high": high, "level": 0.95},
    }


@pytest.mark.parametrize(
    ("ratio", "test", "level", "words"),
    [
        (result(950, 0.93, 0.96), None, "copying", "behaves like the optimal denoiser"),
        (result(120, 0.1, 0.14), None, "copying", "120 of 1,000 samples (12.0 %) copy"),
        (result(120, 0.1, 0.14), result(5, 0, 0.01), "copying", "of test images 0.50 % would"),
        (result(120, 0.1, 0.14), result(110, 0.09, 0.13), "doubt", "no more than test images"),
        (result(0, 0, 0.004), None, "clear", "the share is at most 0.40 %"),
    ],
)
def test_the_verdict_weighs_samples_against_test_images(ratio, test, level, words):
    said = verdict({"memorization_ratio": ratio, "test_memorization_ratio": test})
    assert said["level"] == level
    assert words in said["sentence"]


def test_the_page_of_a_replayer_says_so_and_escapes_names(found, document):
    page = render(
        document,
        closest=[_with_neighbors(found, number) for number in found.closest(12)],
        drawn=[_with_neighbors(found, number) for number in range(12)],
    )
    assert "Replays its training images" in page
    assert "&lt;b&gt;optimum&lt;/b&gt;" in page
    assert "<b>optimum" not in page
    assert "Values below 1.0e-09 are drawn at it." in page
    assert page.count('<div class="trio">') == 24


def test_the_closest_samples_come_in_order_and_each_training_image_once(found):
    numbers = found.closest(12)
    ratios = found.ratios[numbers]
    assert (ratios[1:] >= ratios[:-1]).all()
    nearest = found.nearest.indices[numbers, 0].tolist()
    assert len(set(nearest)) == len(nearest) == 12
    assert ratios[0] == found.ratios.min()


def test_results_replace_earlier_ones_and_nothing_else(found, document, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        write_denoiser(document, out, closest=[], drawn=[_with_neighbors(found, 0)])
    assert sorted(path.name for path in out.iterdir()) == ["denoiser.html", "denoiser.json"]
    written = json.loads((out / "denoiser.json").read_text())
    assert written["kind"] == "genmem denoiser"
    assert sum(one["copies"] for one in written["copied"]) == 30
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="expected an empty folder or one with an earlier"):
        check_denoiser_folder(tmp_path / "mine")
