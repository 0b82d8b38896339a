import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from genmem.errors import InputError, UsageError
from genmem.report.emm.text import format_emm, format_ratio
from genmem.training.emm.bisection import size_grid
from genmem.training.emm.dataset import inspect_source
from genmem.training.emm.results import summarize_study, t_interval
from genmem.training.emm.study import EmmStudy

from .factories import TINY, FakeBackend, with_training


def falling(config, size, seed):
    """A ratio that falls through 0.9 near 5 images, later with labels and with higher seeds."""
    middle = 12 * (1.5 if config.training.labels != "none" else 1) + seed
    return 1 / (1 + (size / middle) ** 2.5)


def run_study(config, folder, backend):
    study = EmmStudy(config, folder, threads=1)
    study.run(backend)
    return summarize_study(study)


def test_the_emm_is_that_of_the_curve_with_an_interval_over_seeds(study_config, tmp_path):
    config = study_config(sizes=size_grid(2, 26, within=0.3), seeds=3)
    backend = FakeBackend(falling)
    results = run_study(config, tmp_path / "s", backend)
    curve = results.curves[0]
    exact = [(12 + seed) * (1 / 0.9 - 1) ** 0.4 for seed in range(3)]
    measured = [search.emm for search in curve.searches]
    assert measured == pytest.approx(exact, rel=0.05)
    logs = np.log(measured)
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert curve.emm.value == pytest.approx(math.exp(logs.mean()))
    assert curve.emm.interval.low == pytest.approx(math.exp(low))
    assert curve.emm.interval.high == pytest.approx(math.exp(high))
    assert results.finished
    assert results.trials == len(backend.trials) == len(set(backend.trials))


def test_every_value_of_every_factor_is_searched_and_shared_trainings_are_done_once(
    study_config, tmp_path
):
    factors = (("labels", ("none", "true")), ("ema", ("0.5", "0.9")))
    backend = FakeBackend(falling)
    results = run_study(study_config(factors=factors, sizes=(4, 8, 16)), tmp_path / "s", backend)
    values = [(curve.factor, curve.value) for curve in results.curves]
    assert values == [("labels", "none"), ("labels", "true"), ("ema", "0.5"), ("ema", "0.9")]
    assert results.curves[0].trials == results.curves[2].trials  # the base, twice
    assert (
        len(backend.trials) == results.trials < sum(len(curve.trials) for curve in results.curves)
    )


def test_at_fixed_sizes_all_are_trained_and_compared_seed_by_seed(study_config, tmp_path):
    config = study_config(factors=(("labels", ("none", "true")),), every_size=True, sizes=(4, 20))
    results = run_study(config, tmp_path / "s", FakeBackend(falling))
    none, true = results.curves
    differences = [
        falling(with_training(labels="true"), 20, s) - falling(TINY, 20, s) for s in (0, 1)
    ]
    mean = true.means[1]
    assert (mean.size, mean.seeds) == (20, 2)
    assert mean.difference == pytest.approx(np.mean(differences))
    span = stats.t.interval(0.95, 1, np.mean(differences), stats.sem(differences))
    assert mean.difference_interval.high == pytest.approx(span[1])
    assert none.means[1].difference == 0


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (lambda *_: 1.0, "at least 26 (larger than the data set)"),
        (lambda *_: 0.2, "below 4 (the smallest size)"),
        (lambda _, size, seed: float(seed), "below 4 (the smallest size) in 1 of 2 seeds"),
    ],
)
def test_an_emm_outside_the_sizes_is_described(study_config, tmp_path, ratio, words):
    results = run_study(study_config(sizes=(4, 26)), tmp_path / "s", FakeBackend(ratio))
    emm = results.curves[0].emm
    assert (emm.value, emm.interval) == (None, None)
    assert words in emm.text


def test_one_seed_gives_an_emm_without_an_interval_and_says_so(study_config, tmp_path):
    results = run_study(study_config(seeds=1), tmp_path / "s", FakeBackend(falling))
    assert results.curves[0].emm.interval is None
    assert results.curves[0].emm.value is not None
    assert any("One seed gives no interval" in note for note in results.notes)
    assert t_interval([0.5]) is None


def test_a_resumed_study_trains_only_what_is_missing(study_config, tmp_path):
    first, again, more = FakeBackend(falling), FakeBackend(falling), FakeBackend(falling)
    results = run_study(study_config(), tmp_path / "s", first)
    assert run_study(study_config(), tmp_path / "s", again) == results
    assert again.trials == []
    run_study(study_config(seeds=3), tmp_path / "s", more)
    assert {seed for _, seed in more.trials} == {2}


def test_a_resumed_study_keeps_the_number_of_threads_it_was_started_with(study_config, tmp_path):
    before = EmmStudy(study_config(), tmp_path / "s", threads=2)
    after = EmmStudy(study_config(), tmp_path / "s", threads=1)
    assert (before.threads, after.threads) == (2, 2)
    (tmp_path / "s" / "study.json").write_text("[]")
    with pytest.raises(InputError, match="expected the folder of a study"):
        EmmStudy(study_config(), tmp_path / "s", threads=1)


def test_what_decides_the_numbers_decides_the_folder(study_config, tmp_path):
    study = EmmStudy(study_config(factors=(("ema", ("0.5", "0.9")),)), tmp_path / "s", threads=1)
    one = study.trial(("ema", "0.5"), 4, 0)
    others = [study.trial(("ema", "0.9"), 4, 0), study.trial(("ema", "0.5"), 8, 0)]
    others.append(study.trial(("ema", "0.5"), 4, 1))
    assert len({trial.key for trial in [one, *others]}) == 4


def test_two_studies_do_not_run_in_one_folder(study_config, tmp_path):
    study, other = (EmmStudy(study_config(), tmp_path / "s", threads=1) for _ in range(2))

    class Nested(FakeBackend):
        def wait(self):
            with pytest.raises(UsageError, match="another study is running in this folder"):
                other.run(FakeBackend(falling))
            return super().wait()

    study.run(Nested(falling))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": (4, 27)}, "expected at most 26 training images"),
        ({"sizes": (1, 4)}, "whole numbers from 2 on"),
        ({"sizes": ()}, "whole numbers from 2 on"),
        ({"epsilon": 0.0}, "epsilon: expected"),
        ({"seeds": 0}, "seeds: expected"),
    ],
)
def test_impossible_configurations_are_refused(study_config, changes, words):
    with pytest.raises((InputError, UsageError), match=words):
        study_config(**changes)


def test_duplicates_are_reported_and_left_out_on_request(study_config, tmp_path):
    sizes = (4, 26)
    notes = EmmStudy(study_config(sizes=sizes), tmp_path / "s", threads=1).check_images()
    assert any("2 images repeat an earlier one" in note for note in notes)
    without = study_config(sizes=(4, 24), drop_duplicates=True)
    assert EmmStudy(without, tmp_path / "t", threads=1).check_images()
    with pytest.raises(InputError, match="expected at least 26 images, found 24"):
        EmmStudy(
            study_config(sizes=sizes, drop_duplicates=True), tmp_path / "u", threads=1
        ).check_images()


def test_the_threshold_is_the_decimal_number_that_epsilon_says(study_config):
    assert 1 - 0.18 != 0.82
    assert study_config(epsilon=0.18).threshold == 0.82


def test_seeds_that_agree_give_no_interval_and_a_note(study_config, tmp_path):
    assert t_interval([0.1 + 0.2, 0.3, 0.3]) is None
    backend = FakeBackend(lambda _, size, seed: 4 / size)
    results = run_study(study_config(seeds=3), tmp_path / "s", backend)
    curve = results.curves[0]
    assert all(mean.interval is None for mean in curve.means)
    assert format_ratio(curve, 4) == "100 % (all 3 seeds)"
    assert curve.emm.interval is None
    assert format_emm(curve.emm) == "4.8 (all 3 seeds)"
    assert any("no interval: a few seeds" in note for note in results.notes)


def test_intervals_of_differences_end_at_100_points(study_config, tmp_path):
    config = study_config(factors=(("labels", ("none", "true")),), every_size=True, sizes=(4,))

    def ratio(config, size, seed):
        return 0.0 if config.training.labels == "none" else 1 - 0.3 * seed

    mean = run_study(config, tmp_path / "s", FakeBackend(ratio)).curves[1].means[0]
    free = t_interval([1.0, 0.7])
    assert (free.low < -1, free.high > 1) == (True, True)
    assert (mean.difference_interval.low, mean.difference_interval.high) == (-1, 1)


def test_where_classes_are_drawn_by_the_seed_every_seed_s_images_are_read(
    images, study_config, tmp_path
):
    for number in (0, 3):
        (images / "a" / f"{number:02d}.png").unlink()  # leaves 7; seed 0 draws c, which has 8
    changes = {
        "source": inspect_source(str(images)),
        "base": replace(TINY, classes=1),
        "sizes": (4, 8),
    }
    first = EmmStudy(study_config(**changes, seeds=1), tmp_path / "s", threads=1)
    assert first.check_images() == ()
    eight = EmmStudy(study_config(**changes, seeds=8), tmp_path / "t", threads=1)
    with pytest.raises(InputError, match="expected at least 8 images in a, found 7"):
        eight.check_images()
