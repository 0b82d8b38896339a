from dataclasses import replace

import numpy as np
import pytest

from genmem.report.score.interpretation import interpret
from genmem.results import Interval, Result, Verdict, Yardstick

N = {"generated": 10_000, "train": 50_000}


def sentences(score):
    """What each metric of `score` says and what it cannot, by metric name."""
    return {name: str(item) for name, item in interpret(score).items()}


def with_metric(score, **result):
    made = Result(**{"n": N, **result})
    return replace(score, metrics={made.name: made})


def with_also(score, result):
    return replace(score, metrics={**score.metrics, result.name: result})


def without_test(score):
    inputs = {role: summary for role, summary in score.inputs.items() if role != "test"}
    nearest = {role: values for role, values in score.nearest.items() if role != "test"}
    return replace(score, inputs=inputs, nearest=nearest)


def same(score, one, other):
    digest = score.inputs[other].digest
    inputs = {**score.inputs, one: replace(score.inputs[one], digest=digest)}
    return replace(score, inputs=inputs)


def test_every_metric_gets_a_sentence_that_ends_as_one(make_score):
    score = make_score()
    found = sentences(score)
    assert list(found) == list(score.metrics)
    assert all(sentence.endswith(".") and "  " not in sentence for sentence in found.values())


@pytest.mark.parametrize(
    ("z", "evidence", "words"),
    [
        (-8.0, "doubt", "Nearer to the training set as a whole than held-out images are"),
        (-3.0, "doubt", "no proof of copying"),
        (-2.5, "none", "no proof of anything"),
        (0.3, "clear", "about as close"),
        (2.9, "clear", "about as close"),
        (7.0, "clear", "farther from the training set"),
    ],
)
def test_c_t_is_read_by_its_z_score(make_score, z, evidence, words):
    interpretation = interpret(with_metric(make_score(), name="c_t", value=z))["c_t"]
    assert interpretation.evidence == evidence
    assert words in interpretation.finding


def test_a_c_t_near_zero_is_not_sold_as_proof_of_honesty(make_score):
    sentence = sentences(with_metric(make_score(), name="c_t", value=0.0))["c_t"]
    assert "misses a few per cent of copies among honest images" in sentence


@pytest.mark.parametrize(("distance", "evidence"), [(0.05, "doubt"), (0.1, "none"), (0.4, "none")])
def test_mifid_says_whether_it_was_penalized_and_that_its_mean_hides_dilution(
    make_score, distance, evidence
):
    parts = {"fd": 12.0, "memorization_distance": distance, "tau": 0.1, "penalized": distance < 0.1}
    score = with_metric(make_score(), name="mifid", value=12.0, parts=parts)
    assert interpret(score)["mifid"].evidence == evidence
    assert "hides dilution" in sentences(score)["mifid"]


def test_a_frechet_distance_of_few_images_is_called_biased(make_score):
    few = {"generated": 500, "train": 50_000}
    assert (
        "biased upward" in sentences(with_metric(make_score(), name="fd", value=3.0, n=few))["fd"]
    )
    assert "biased" not in sentences(with_metric(make_score(), name="fd", value=3.0))["fd"]


def test_without_held_out_images_distances_cannot_be_interpreted_and_say_so(make_score):
    score = without_test(make_score())
    for name in ("memorization_distance", "nn_quantiles"):
        assert (
            "No held-out images were given (--test): the value of an honest"
            in sentences(score)[name]
        )


def test_held_out_images_that_are_training_images_say_nothing(make_score):
    score = same(make_score(), "test", "train")
    assert "says nothing" in sentences(score)["c_t"]
    assert interpret(score)["c_t"].evidence == "none"


def quantiles(make_score, closer, n):
    levels = [0.0, 0.001, 0.005, 0.01, 0.05, 0.25, 0.5, 0.75, 1.0]
    below = [0.0, closer, closer, closer, closer, 0.25, 0.5, 0.75, 1.0]
    return with_metric(
        make_score(),
        name="nn_quantiles",
        value=0.2,
        n={"generated": n, "train": 50_000, "test": n},
        parts={"levels": levels, "generated": levels, "test": levels, "below_test": below},
    )


def test_a_crowded_left_end_is_suspicious(make_score):
    interpretation = interpret(quantiles(make_score, closer=0.04, n=10_000))["nn_quantiles"]
    assert interpretation.evidence == "doubt"
    assert "closest 0.5 % of the held-out images" in interpretation.finding


def test_an_ordinary_left_end_is_not_suspicious(make_score):
    assert (
        interpret(quantiles(make_score, closer=0.009, n=10_000))["nn_quantiles"].evidence == "none"
    )


def test_the_left_end_of_few_images_is_not_judged(make_score):
    interpretation = interpret(quantiles(make_score, closer=0.5, n=300))["nn_quantiles"]
    assert interpretation.evidence == "none"
    assert "too few" in interpretation.limits


def test_a_copied_fraction_whose_interval_excludes_0_is_named_with_its_number(
    make_score, make_copied
):
    made = make_copied(0.0121, low=0.0083, high=0.0172)
    interpretation = interpret(replace(make_score(), metrics={made.name: made}))[made.name]
    assert interpretation.evidence == "copying"
    assert interpretation.finding == (
        "About 1.2 % of the generated images (0.83 to 1.7 %), some 121 of 10,000, are closer to "
        "training images than held-out images ever are: copies."
    )
    assert interpretation.limits == (
        "Copies farther away than the closest held-out images are not counted."
    )


def test_a_copied_fraction_that_chance_could_make_says_how_often(make_score, make_copied):
    made = make_copied(0.002, low=0.0001, high=0.005, p_value=0.018)
    interpretation = interpret(replace(make_score(), metrics={made.name: made}))[made.name]
    assert interpretation.evidence == "doubt"
    assert "An honest generator reaches this in 1.8 % of cases, by chance." in interpretation.limits


def test_a_copied_fraction_whose_interval_holds_0_is_clear_and_tells_the_most(
    make_score, make_copied
):
    made = make_copied(0.0, low=0.0, high=0.0031)
    interpretation = interpret(replace(make_score(), metrics={made.name: made}))[made.name]
    assert interpretation.evidence == "clear"
    assert "at most 0.31 % of the generated images are copies" in interpretation.finding


@pytest.mark.parametrize(
    ("label", "sentence", "low", "words"),
    [
        ("open", "Too few images.", 0.0, "says little of so few images"),
        (
            "copying",
            "About 1.2 % of the generated images (0.83 to 1.7 %), some 121 of 10,000, are closer "
            "to training images than held-out images ever are.",
            0.0083,
            "The share that the verdict names is closer",
        ),
    ],
)
def test_a_copied_fraction_neither_contradicts_nor_repeats_the_verdict(
    make_score, make_copied, label, sentence, low, words
):
    made = make_copied(0.0121, low=low, high=0.0172)
    verdict = Verdict(label=label, sentence=sentence)
    score = replace(make_score(), metrics={made.name: made}, verdict=verdict)
    finding = interpret(score)[made.name].finding
    assert words in finding
    assert "%" not in finding


def test_a_set_of_copies_only_is_all_of_it(make_score, make_copied):
    made = make_copied(1.0, low=0.9908, high=1.0, images=400)
    interpretation = interpret(replace(make_score(), metrics={made.name: made}))[made.name]
    assert interpretation.finding.startswith("All 400 generated images (99.08 to 100 %) are closer")


def test_a_copied_fraction_of_a_handful_or_without_held_out_images_says_nothing(
    make_score, make_copied
):
    few = make_copied(0.9, low=0.4, high=1.0, images=8)
    score = replace(make_score(), metrics={few.name: few})
    assert interpret(score)[few.name].evidence == "none"
    assert "Too few images" in interpret(score)[few.name].finding
    many = make_copied(0.9, low=0.8, high=1.0)
    score = same(replace(make_score(), metrics={many.name: many}), "test", "train")
    assert interpret(score)[many.name].evidence == "none"
    assert "says nothing" in interpret(score)[many.name].finding


def test_the_copied_fraction_takes_the_place_of_looser_judgements(make_score, make_copied):
    crowded = quantiles(make_score, closer=0.04, n=10_000)
    ratio = Result(
        name="memorization_ratio",
        value=0.0512,
        n=N,
        interval=Interval(low=0.047, high=0.056, level=0.95, method="Clopper–Pearson"),
    )
    for metrics in (crowded.metrics, {ratio.name: ratio}):
        made = make_copied(0.0, low=0.0, high=0.005)
        score = replace(crowded, metrics=metrics)
        assert "doubt" not in {r.evidence for r in interpret(with_also(score, made)).values()}
    assert interpret(crowded)["nn_quantiles"].evidence == "doubt"


@pytest.mark.parametrize(("low", "evidence"), [(0.012, "doubt"), (0.009, "none")])
def test_without_held_out_images_many_near_copies_are_suspicious(make_score, low, evidence):
    ends = Interval(low=low, high=0.1, level=0.95, method="Clopper–Pearson")
    score = with_metric(make_score(), name="memorization_ratio", value=0.05, interval=ends)
    score = without_test(score)
    assert interpret(score)["memorization_ratio"].evidence == evidence


def test_a_value_that_is_no_number_is_not_read(make_score):
    score = with_metric(make_score(), name="c_t", value=float("nan"))
    assert sentences(score)["c_t"] == "The value is undefined; the notes say why."


def test_a_set_compared_with_itself_is_said_in_words(make_score):
    score = same(make_score(), "generated", "train")
    assert all("says nothing about a generator" in text for text in sentences(score).values())


@pytest.mark.parametrize("z", [-9.0, -2.5, 0.1, 5.0])
@pytest.mark.parametrize(("generated", "test"), [(10_000, 1), (19, 10_000), (3, 2)])
def test_a_c_t_of_a_handful_of_images_says_nothing_and_the_verdict_does_not_reassure(
    make_score, z, generated, test
):
    n = {"generated": generated, "train": 50_000, "test": test}
    score = with_metric(make_score(), name="c_t", value=z, n=n)
    interpretation = interpret(score)["c_t"]
    assert interpretation.evidence == "none"
    assert "too few images" in interpretation.finding


def test_twenty_images_of_each_kind_are_enough_for_c_t(make_score):
    n = {"generated": 20, "train": 50_000, "test": 20}
    score = with_metric(make_score(), name="c_t", value=0.1, n=n)
    assert interpret(score)["c_t"].evidence == "clear"


def with_copies(score, *, generated, test=None, of=10_000):
    """`score` with so many images of each set at no distance from a training image."""
    nearest = {}
    for role, copies in (("generated", generated), ("test", test)):
        if copies is not None:
            nearest[role] = np.full(of, 0.2)
            nearest[role][:copies] = 5e-13
    score = replace(score, nearest=nearest, repeats=(0, 1_000))
    return without_test(score) if test is None else score


def honest(make_score, *names):
    """A score in which no metric sees copying."""
    score = make_score()
    metrics = {
        **score.metrics,
        "c_t": replace(score["c_t"], value=0.1),
        **quantiles(make_score, closer=0.001, n=10_000).metrics,
    }
    return replace(score, metrics={name: metrics[name] for name in names or ("c_t", "fd")})


@pytest.mark.parametrize(
    ("generated", "test", "evidence"),
    [
        (1, None, "doubt"),
        (1, 0, "doubt"),
        (99, 0, "doubt"),
        (100, 0, "copying"),
        (100, None, "copying"),
        (10_000, 0, "copying"),
        (10_000, 4_000, "copying"),
        (1, 1, "none"),
        (300, 310, "none"),
        (10_000, 10_000, "none"),
    ],
)
@pytest.mark.parametrize("name", ["memorization_distance", "nn_quantiles"])
def test_exact_copies_are_called_copies_unless_held_out_images_are_copies_as_often(
    make_score, generated, test, evidence, name
):
    score = with_copies(honest(make_score, name), generated=generated, test=test)
    interpretation = interpret(score)[name]
    assert interpretation.evidence == evidence
    assert "exact cop" in interpretation.finding
    assert ("the data set contains duplicates" in interpretation.finding) == (evidence == "none")


def test_near_copies_are_not_called_exact(make_score):
    score = with_copies(honest(make_score, "memorization_distance"), generated=0, test=0)
    score.nearest["generated"][:50] = 1e-9
    assert "exact copy" not in sentences(score)["memorization_distance"]


def test_a_kernel_distance_within_the_deviation_of_its_subsets_is_barely_different_from_0(
    make_score,
):
    near = with_metric(make_score(), name="kd", value=0.001, parts={"deviation": 0.0008})
    far = with_metric(make_score(), name="kd", value=0.01, parts={"deviation": 0.0008})
    assert "Barely different from 0" in sentences(near)["kd"]
    assert "The two sets differ by 0.01" in sentences(far)["kd"]


def test_without_a_yardstick_no_metric_accuses_or_clears(make_score, make_copied):
    other = Yardstick(holds=False, reasons=("Training images are JPEG, held-out images PNG.",))
    score = with_also(replace(make_score(), yardstick=other), make_copied(0.3, low=0.2, high=0.4))
    for name in ("copied_fraction", "c_t", "nn_quantiles"):
        interpretation = interpret(score)[name]
        assert interpretation.evidence == "none"
        assert "no yardstick" in interpretation.limits
    assert "copies" not in interpret(score)["copied_fraction"].finding


@pytest.mark.parametrize("p_value", [0.0001, 0.02])
def test_without_a_yardstick_a_share_is_called_neither_copies_nor_chance(
    make_score, make_copied, p_value
):
    other = Yardstick(holds=False, reasons=("Training images are JPEG, held-out images PNG.",))
    copied = make_copied(0.3, low=0.2, high=0.4)
    copied = replace(copied, parts={**copied.parts, "p_value": p_value})
    named = interpret(with_also(make_score(), copied))["copied_fraction"].finding
    assert named.endswith(": copies, or chance." if p_value > 0.005 else ": copies.")
    score = with_also(replace(make_score(), yardstick=other), copied)
    finding = interpret(score)["copied_fraction"].finding
    assert finding.endswith("than held-out images ever are.")
