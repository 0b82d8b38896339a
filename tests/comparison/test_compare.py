"""`genmem.compare`: scores of several models, differences of pairs, and places with ties."""

import math
from dataclasses import replace

import numpy as np
import pytest

import genmem
from genmem import InputError, UsageError
from genmem.comparison.compare import comparison_of
from genmem.comparison.differences import differences
from genmem.comparison.ranks import direction, ranks
from genmem.results import Interval, Result


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(5)
    train, test, honest, other = rng.normal(size=(4, 400, 6))
    copies = np.concatenate([train[:200] + 1e-3, honest[:200]])
    return {
        "train": train,
        "test": test,
        "models": {"honest": honest, "other": other, "shifted": other + 2, "copier": copies},
    }


@pytest.fixture(scope="module")
def comparison(sets):
    return genmem.compare(sets["models"], train=sets["train"], test=sets["test"], tau=0.05)


def result(value, low=None, high=None, name="fd"):
    interval = None if low is None else Interval(low=low, high=high, level=0.95, method="")
    return Result(name=name, value=value, n={"generated": 9}, interval=interval)


def test_each_model_has_the_score_of_its_own(comparison, sets):
    for name, rows in sets["models"].items():
        alone = genmem.score(generated=rows, train=sets["train"], test=sets["test"], tau=0.05)
        assert comparison[name].metrics == alone.metrics
        assert comparison[name].verdict == alone.verdict
        assert comparison[name].notes == alone.notes


def test_images_are_extracted_once_and_scored_as_alone():
    rng = np.random.default_rng(1)
    train, first, second = rng.integers(0, 256, (3, 40, 8, 8, 3), dtype=np.uint8)
    both = genmem.compare(
        {"a": first, "b": second}, train=train, backbone="pixels", metrics=["fd", "mifid"], tau=0.1
    )
    alone = genmem.score(
        generated=second, train=train, backbone="pixels", metrics=["fd", "mifid"], tau=0.1
    )
    assert both["b"].metrics == alone.metrics
    assert [pair.generated_id for pair in both["b"].closest] == [
        pair.generated_id for pair in alone.closest
    ]


def test_a_reference_takes_the_place_of_train_and_test(tmp_path):
    rng = np.random.default_rng(2)
    train, test, first, second = rng.integers(0, 256, (4, 40, 8, 8, 3), dtype=np.uint8)
    reference = genmem.build_reference(
        train=train, test=test, out=tmp_path / "t.genmem", backbone="pixels"
    )
    stored = genmem.compare({"a": first, "b": second}, train=reference)
    direct = genmem.compare({"a": first, "b": second}, train=train, test=test, backbone="pixels")
    assert {name: one.metrics for name, one in stored.scores.items()} == {
        name: one.metrics for name, one in direct.scores.items()
    }


def test_models_of_one_distribution_share_places_and_a_worse_one_does_not(comparison):
    places = comparison.ranks["fd"]
    assert places["honest"].low == places["other"].low == 1
    assert places["shifted"].low == places["shifted"].high == 4
    assert not comparison.difference("fd", "honest", "other").separate
    far = comparison.difference("fd", "honest", "shifted")
    assert far.separate
    assert far.value < 0
    assert far.interval.high < 0
    with pytest.raises(KeyError):
        comparison.difference("fd", "shifted", "honest")


def test_a_copier_is_named_whatever_its_quality(comparison):
    assert comparison["copier"].verdict.label == "copying"
    assert any("copier: copying" in note for note in comparison.notes)
    assert comparison.ranks["copied_fraction"]["copier"].low == 4


def test_an_interval_of_a_difference_is_the_formula():
    a, b = result(5.0, 4.0, 7.0), result(2.0, 1.5, 2.25)
    [one] = differences({"a": a, "b": b}, metric="fd")
    assert one.value == 3
    assert one.interval.low == pytest.approx(3 - math.sqrt(1.0**2 + 0.25**2))
    assert one.interval.high == pytest.approx(3 + math.sqrt(2.0**2 + 0.5**2))
    assert one.separate


def test_many_pairs_are_judged_more_strictly_than_one():
    close = {"a": result(0.0, -1.0, 1.0), "b": result(1.5, 0.5, 2.5)}
    [alone] = differences(close, metric="fd")
    assert alone.separate
    among = differences(close | {"c": result(9, 8, 10), "d": result(20, 19, 21)}, metric="fd")
    assert not next(one for one in among if (one.first, one.second) == ("a", "b")).separate


def test_the_places_hold_the_truth_as_often_as_promised():
    rng = np.random.default_rng(0)
    truth = np.array([0.0, 0.0, 0.5, 1.0])
    held = 0
    for _ in range(400):
        values = truth + rng.normal(scale=0.2, size=4)
        results = {
            str(place): result(value, value - 0.392, value + 0.392)
            for place, value in enumerate(values)
        }
        found = ranks(results, differences(results, metric="fd"), metric="fd")
        true_places = [(1, 2), (1, 2), (3, 3), (4, 4)]  # the first two are tied
        held += all(
            one.low <= high and low <= one.high
            for one, (low, high) in zip(found.values(), true_places, strict=True)
        )
    assert held >= 380


def test_without_intervals_places_follow_the_values():
    results = {"a": result(3.0), "b": result(1.0), "c": result(3.0)}
    found = ranks(results, differences(results, metric="fd"), metric="fd")
    assert {name: (one.place, one.low, one.high) for name, one in found.items()} == {
        "a": (2, 2, 2),
        "b": (1, 1, 1),
        "c": (2, 2, 2),
    }


def test_a_model_without_an_interval_leaves_the_places_of_the_others_open():
    results = {"a": result(1.0, 0.5, 1.5), "b": result(1.1, 0.6, 1.6), "few": result(9.0)}
    found = ranks(results, differences(results, metric="fd"), metric="fd")
    assert {name: (one.place, one.low, one.high) for name, one in found.items()} == {
        "a": (1, 1, 3),
        "b": (2, 1, 3),
        "few": (3, 1, 3),
    }


def test_penalized_sets_rank_last_and_leave_the_others_tied(sets):
    train, honest, other = sets["train"], sets["models"]["honest"], sets["models"]["other"]
    models = {"copies": train + 1e-3, "honest": honest, "other": other, "shifted": other + 9}
    found = genmem.compare(models, train=train, metrics=["mifid"], tau=0.05)
    assert found["copies"]["mifid"].value < found["shifted"]["mifid"].value
    places = {name: (one.low, one.high) for name, one in found.ranks["mifid"].items()}
    assert places == {"copies": (4, 4), "honest": (1, 2), "other": (1, 2), "shifted": (3, 3)}


def test_a_value_that_is_no_number_has_no_place(comparison):
    scores = dict(comparison.scores)
    undefined = replace(scores["honest"]["copied_fraction"], value=math.nan)
    scores["honest"] = replace(
        scores["honest"], metrics={**scores["honest"].metrics, "copied_fraction": undefined}
    )
    found = comparison_of(scores)
    assert set(found.ranks["copied_fraction"]) == {"other", "shifted", "copier"}
    assert all(math.isfinite(one.value) for one in found.differences)
    assert "honest" in found.ranks["fd"]


def test_notes_and_errors_name_the_model(sets):
    train, honest = sets["train"], sets["models"]["honest"]
    notes = genmem.compare({"same": train, "honest": honest}, train=train, metrics=["kd"]).notes
    assert any(note.startswith("same: generated and train are the same set") for note in notes)
    broken = np.full_like(honest, np.nan)
    with pytest.raises(InputError, match="scoring broken: generated: row 0"):
        genmem.compare({"honest": honest, "broken": broken}, train=train, metrics=["kd"])


def test_direction_comes_from_the_registry():
    assert direction("recall") == 1
    assert direction("fid") == direction("copied_fraction") == -1
    assert direction("c_t") is None
    assert direction("unheard of") is None


def test_a_replay_ranks_last_by_mifid_whatever_its_value(sets):
    replay = sets["train"][::-1]
    found = genmem.compare(
        {"replay": replay, "honest": sets["models"]["honest"]},
        train=sets["train"],
        metrics=["mifid"],
        tau=0.05,
    ).ranks["mifid"]
    assert found["honest"].place == 1
    assert found["replay"].place == 2


def test_unequal_numbers_and_equal_images_are_told(sets):
    honest = sets["models"]["honest"]
    notes = genmem.compare(
        {"a": honest, "b": honest, "c": honest[:300]}, train=sets["train"], metrics=["fd"]
    ).notes
    assert any("a and b are the same images" in note for note in notes)
    assert any("c 300" in note for note in notes)


def test_wrong_models_are_refused(sets):
    train = sets["train"]
    with pytest.raises(UsageError, match="two or more"):
        genmem.compare({"a": train}, train=train)
    with pytest.raises(UsageError, match="list"):
        genmem.compare([train, train], train=train)
    with pytest.raises(UsageError, match="texts"):
        genmem.compare({1: train, 2: train}, train=train)
    with pytest.raises(InputError, match=r"scoring b: .* dimension"):
        genmem.compare({"a": train, "b": train[:, :3]}, train=train, metrics=["fd"])


def test_json_holds_scores_ranks_and_differences(comparison):
    document = comparison.to_dict()
    assert list(document["scores"]) == ["honest", "other", "shifted", "copier"]
    assert document["ranks"]["fd"]["shifted"] == {"place": 4, "low": 4, "high": 4}
    assert {"metric", "first", "second", "value", "interval", "separate"} == set(
        document["differences"][0]
    )


def test_scores_made_elsewhere_can_be_compared(comparison):
    assert comparison_of(comparison.scores) == comparison
