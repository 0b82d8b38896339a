import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from genmem.errors import InputError, UsageError
from genmem.report.emm.text import emm_words, ratio_words
from genmem.training.emm.bisection import lattice
from genmem.training.emm.dataset import look_at
from genmem.training.emm.results import findings, t_interval
from genmem.training.emm.study import Study

from .small_models import TINY, Curve, with_training


def falling(configuration, count, seed):
    """A ratio that falls through 0.9 near 5 images, later with labels and with higher seeds."""
    middle = 12 * (1.5 if configuration.training.labels != "none" else 1) + seed
    return 1 / (1 + (count / middle) ** 2.5)


def study_of(request, folder, workers):
    study = Study(request, folder, threads=1)
    study.go(workers)
    return findings(study)


def test_the_emm_is_that_of_the_curve_with_an_interval_over_seeds(request_of, tmp_path):
    request = request_of(sizes=lattice(2, 26, within=0.3), seeds=3)
    workers = Curve(falling)
    found = study_of(request, tmp_path / "s", workers)
    curve = found["curves"][0]
    exact = [(12 + seed) * (1 / 0.9 - 1) ** 0.4 for seed in range(3)]
    measured = [one["emm"] for one in curve["searches"]]
    assert measured == pytest.approx(exact, rel=0.05)
    logs = np.log(measured)
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert curve["emm"]["value"] == pytest.approx(math.exp(logs.mean()))
    assert curve["emm"]["interval"]["low"] == pytest.approx(math.exp(low))
    assert curve["emm"]["interval"]["high"] == pytest.approx(math.exp(high))
    assert found["finished"]
    assert found["trainings"] == len(workers.done) == len(set(workers.done))


def test_every_value_of_every_factor_is_searched_and_shared_trainings_are_done_once(
    request_of, tmp_path
):
    factors = (("labels", ("none", "true")), ("ema", ("0.5", "0.9")))
    workers = Curve(falling)
    found = study_of(request_of(factors=factors, sizes=(4, 8, 16)), tmp_path / "s", workers)
    values = [(one["factor"], one["value"]) for one in found["curves"]]
    assert values == [("labels", "none"), ("labels", "true"), ("ema", "0.5"), ("ema", "0.9")]
    assert found["curves"][0]["trainings"] == found["curves"][2]["trainings"]  # the base, twice
    assert (
        len(workers.done)
        == found["trainings"]
        < sum(len(one["trainings"]) for one in found["curves"])
    )


def test_at_fixed_sizes_all_are_trained_and_compared_seed_by_seed(request_of, tmp_path):
    request = request_of(factors=(("labels", ("none", "true")),), every_size=True, sizes=(4, 20))
    found = study_of(request, tmp_path / "s", Curve(falling))
    none, true = found["curves"]
    differences = [
        falling(with_training(labels="true"), 20, s) - falling(TINY, 20, s) for s in (0, 1)
    ]
    mean = true["means"][1]
    assert (mean["size"], mean["seeds"]) == (20, 2)
    assert mean["difference"] == pytest.approx(np.mean(differences))
    span = stats.t.interval(0.95, 1, np.mean(differences), stats.sem(differences))
    assert mean["difference_interval"]["high"] == pytest.approx(span[1])
    assert none["means"][1]["difference"] == 0


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (lambda *_: 1.0, "at least 26 (larger than the data set)"),
        (lambda *_: 0.2, "below 4 (the smallest size)"),
        (lambda _, count, seed: float(seed), "below 4 (the smallest size) in 1 of 2 seeds"),
    ],
)
def test_an_emm_outside_the_sizes_is_said_in_words(request_of, tmp_path, ratio, words):
    found = study_of(request_of(sizes=(4, 26)), tmp_path / "s", Curve(ratio))
    emm = found["curves"][0]["emm"]
    assert (emm["value"], emm["interval"]) == (None, None)
    assert words in emm["words"]


def test_one_seed_gives_an_emm_without_an_interval_and_says_so(request_of, tmp_path):
    found = study_of(request_of(seeds=1), tmp_path / "s", Curve(falling))
    assert found["curves"][0]["emm"]["interval"] is None
    assert found["curves"][0]["emm"]["value"] is not None
    assert any("One seed gives no interval" in note for note in found["notes"])
    assert t_interval([0.5]) is None


def test_a_study_that_goes_on_trains_only_what_is_missing(request_of, tmp_path):
    first, again, more = Curve(falling), Curve(falling), Curve(falling)
    found = study_of(request_of(), tmp_path / "s", first)
    assert study_of(request_of(), tmp_path / "s", again) == found
    assert again.done == []
    study_of(request_of(seeds=3), tmp_path / "s", more)
    assert {seed for _, seed in more.done} == {2}


def test_threads_stay_those_that_the_study_began_with(request_of, tmp_path):
    before = Study(request_of(), tmp_path / "s", threads=2)
    after = Study(request_of(), tmp_path / "s", threads=1)
    assert (before.threads, after.threads) == (2, 2)
    (tmp_path / "s" / "study.json").write_text("[]")
    with pytest.raises(InputError, match="expected the folder of a study"):
        Study(request_of(), tmp_path / "s", threads=1)


def test_what_decides_the_numbers_decides_the_folder(request_of, tmp_path):
    study = Study(request_of(factors=(("ema", ("0.5", "0.9")),)), tmp_path / "s", threads=1)
    one = study.trial(("ema", "0.5"), 4, 0)
    others = [study.trial(("ema", "0.9"), 4, 0), study.trial(("ema", "0.5"), 8, 0)]
    others.append(study.trial(("ema", "0.5"), 4, 1))
    assert len({trial.key for trial in [one, *others]}) == 4


def test_two_studies_are_not_at_work_in_one_folder(request_of, tmp_path):
    study, other = (Study(request_of(), tmp_path / "s", threads=1) for _ in range(2))

    class Nested(Curve):
        def wait(self):
            with pytest.raises(UsageError, match="another genmem emm is at work"):
                other.go(Curve(falling))
            return super().wait()

    study.go(Nested(falling))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": (4, 27)}, "larger than the data set, which has 26"),
        ({"sizes": (1, 4)}, "whole numbers from 2 on"),
        ({"sizes": ()}, "whole numbers from 2 on"),
        ({"epsilon": 0.0}, "epsilon: expected"),
        ({"seeds": 0}, "seeds: expected"),
    ],
)
def test_requests_that_cannot_be_are_refused(request_of, changes, words):
    with pytest.raises((InputError, UsageError), match=words):
        request_of(**changes)


def test_duplicates_are_found_said_and_left_out_on_request(request_of, tmp_path):
    sizes = (4, 26)
    notes = Study(request_of(sizes=sizes), tmp_path / "s", threads=1).check_images()
    assert any("2 images repeat an earlier one" in note for note in notes)
    without = request_of(sizes=(4, 24), without_duplicates=True)
    assert Study(without, tmp_path / "t", threads=1).check_images()
    with pytest.raises(InputError, match="expected at least 26 images, found 24"):
        Study(
            request_of(sizes=sizes, without_duplicates=True), tmp_path / "u", threads=1
        ).check_images()


def test_the_threshold_is_the_decimal_number_that_epsilon_says(request_of):
    assert 1 - 0.18 != 0.82
    assert request_of(epsilon=0.18).threshold == 0.82


def test_seeds_that_agree_give_no_interval_and_it_is_said(request_of, tmp_path):
    assert t_interval([0.1 + 0.2, 0.3, 0.3]) is None
    found = study_of(request_of(seeds=3), tmp_path / "s", Curve(lambda _, count, seed: 4 / count))
    curve = found["curves"][0]
    assert all(mean["interval"] is None for mean in curve["means"])
    assert ratio_words(curve, 4) == "100 % (all 3 seeds)"
    assert curve["emm"]["interval"] is None
    assert emm_words(curve["emm"]) == "4.8 (all 3 seeds)"
    assert any("no interval: so few seeds" in note for note in found["notes"])


def test_intervals_of_differences_end_at_100_points(request_of, tmp_path):
    request = request_of(factors=(("labels", ("none", "true")),), every_size=True, sizes=(4,))

    def ratio(configuration, count, seed):
        return 0.0 if configuration.training.labels == "none" else 1 - 0.3 * seed

    mean = study_of(request, tmp_path / "s", Curve(ratio))["curves"][1]["means"][0]
    free = t_interval([1.0, 0.7])
    assert (free.low < -1, free.high > 1) == (True, True)
    assert (mean["difference_interval"]["low"], mean["difference_interval"]["high"]) == (-1, 1)


def test_where_classes_are_drawn_by_the_seed_every_seed_s_images_are_read(
    images, request_of, tmp_path
):
    for number in (0, 3):
        (images / "a" / f"{number:02d}.png").unlink()  # leaves 7; seed 0 draws c, which has 8
    changes = {"source": look_at(str(images)), "base": replace(TINY, classes=1), "sizes": (4, 8)}
    first = Study(request_of(**changes, seeds=1), tmp_path / "s", threads=1)
    assert first.check_images() == ()
    eight = Study(request_of(**changes, seeds=8), tmp_path / "t", threads=1)
    with pytest.raises(InputError, match="expected at least 8 images in a, found 7"):
        eight.check_images()
