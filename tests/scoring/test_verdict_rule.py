from dataclasses import replace

import numpy as np
import pytest

from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.results import Yardstick
from genmem.scoring.evidence import Evidence, NearCopies
from genmem.scoring.exact_copies import count_exact_copies
from genmem.scoring.verdict_rule import closer_images, decide
from genmem.yardstick.generator_shape import GeneratorShape


def fraction(below, images=1_000, held_out=1_000, matched=None):
    """A copied fraction with so many images below the threshold, of so many training images."""
    generated = np.where(np.arange(images) < below, 0.5, 5.0)
    return copied_fraction_from(
        generated=generated,
        test=1 + np.linspace(0, 1, held_out),
        nearest_train=np.arange(images) % (matched or images),
        train_rows=1_000,
    )


OTHER = Yardstick(
    holds=False,
    reasons=("Training images are JPEG, held-out images PNG.",),
    failing=("file_properties",),
)
SERIES = Yardstick(holds=False, reasons=("Training images come in series: …",), failing=("series",))
NONE = Evidence(
    images=1_000,
    fraction=fraction(0),
    missed="parts of images",
    yardstick=None,
    where="in lite0 or pixels@64",
    where_shape="in lite0",
    where_left_out="in sscd",
)


def shape(nearness, spread=0.0):
    return GeneratorShape(spread_z=spread, spread=0.9, nearness_z=nearness, count=500)


def exact(copies, images=1_000, repeats=0):
    distances = {
        "generated": np.where(np.arange(images) < copies, 0.0, 1.0),
        "test": np.where(np.arange(1_000) < repeats, 0.0, 1.0),
    }
    return count_exact_copies(distances, held_out=True, what="to the pixel")


def near(generated, test=0):
    return NearCopies(
        near=generated,
        images=1_000,
        test_near=test,
        test_images=1_000,
        low=0.0,
        where="in pixels@64",
    )


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        ({}, "no-sign"),
        ({"fraction": fraction(100)}, "copying"),
        ({"fraction": fraction(12)}, "copying"),
        ({"fraction": fraction(10)}, "suspicious"),
        ({"fraction": fraction(10), "flagged": 3, "finding": "3 are flagged."}, "copying"),
        ({"fraction": fraction(8)}, "no-sign"),
        ({"flagged": 3, "finding": "3 images are flagged."}, "copying"),
        ({"shape": shape(-15, spread=-10)}, "no-sign"),
        ({"shape": shape(-15)}, "suspicious"),
        ({"near": near(6)}, "suspicious"),
        ({"near": near(6, test=4)}, "no-sign"),
        ({"exact": exact(3)}, "suspicious"),
        ({"exact": exact(30)}, "copying"),
        ({"exact": exact(30, repeats=25)}, "no-sign"),
        ({"yardstick": OTHER}, "no-yardstick"),
        ({"yardstick": OTHER, "fraction": fraction(900), "flagged": 900}, "no-yardstick"),
        ({"yardstick": OTHER, "shape": shape(-15)}, "no-yardstick"),
        ({"yardstick": OTHER, "exact": exact(30)}, "copying"),
        ({"yardstick": OTHER, "of_left_out": fraction(100)}, "suspicious"),
        ({"yardstick": SERIES, "fraction": fraction(900)}, "no-yardstick"),
        (
            {"yardstick": SERIES, "fraction": fraction(10), "of_left_out": fraction(200)},
            "suspicious",
        ),
        (
            {"yardstick": SERIES, "fraction": fraction(900), "of_left_out": fraction(200)},
            "copying",
        ),
        ({"yardstick": SERIES, "near": near(20)}, "suspicious"),
        ({"yardstick": OTHER, "near": near(20)}, "no-yardstick"),
        ({"missing": "no held-out images were given"}, "open"),
        ({"flagged": 300, "matched": 1, "finding": "300 images are flagged."}, "suspicious"),
        ({"flagged": 300, "matched": 2, "exact": exact(300)}, "copying"),
        ({"flagged": 300, "matched": 3, "finding": "300 images are flagged."}, "copying"),
        ({"fraction": fraction(300, matched=1)}, "suspicious"),
        ({"fraction": fraction(300, matched=30)}, "copying"),
        ({"missing": "no held-out images were given", "exact": exact(30)}, "copying"),
        ({"too_few": "too few images"}, "open"),
        ({"fraction": fraction(0, images=30, held_out=30)}, "open"),
        ({"same_as_train": True, "exact": exact(1_000)}, "open"),
    ],
)
def test_the_label_follows_from_the_evidence(evidence, label):
    assert decide(replace(NONE, **evidence)).label == label


@pytest.mark.parametrize(
    ("evidence", "basis"),
    [
        ({"fraction": fraction(10)}, ()),
        ({"fraction": fraction(100)}, ("share",)),
        ({"flagged": 3}, ("flags",)),
        (
            {"flagged": 3, "fraction": fraction(100), "exact": exact(30)},
            ("exact", "flags", "share"),
        ),
        ({"flagged": 300, "matched": 2, "exact": exact(300)}, ("exact",)),
        ({"flagged": 300, "yardstick": OTHER, "exact": exact(30)}, ("exact",)),
        (
            {"yardstick": SERIES, "fraction": fraction(900), "of_left_out": fraction(200)},
            ("left-out",),
        ),
        ({"same_as_train": True, "exact": exact(1_000)}, ()),
    ],
)
def test_a_verdict_of_copying_names_all_that_it_rests_on_and_no_other_does(evidence, basis):
    verdict = decide(replace(NONE, **evidence))
    assert verdict.basis == basis
    assert bool(verdict.basis) == (verdict.label == "copying")


def test_no_sign_names_the_bound_the_power_and_what_was_not_looked_for():
    sentence = decide(NONE).sentence
    assert "At most 0.37 % of the generated images are copies" in sentence
    assert "perfect copies would have been told from none with a probability of 95 %" in sentence
    assert "Not looked for: parts of images." in sentence


def test_a_nearer_set_is_never_called_copying_whatever_its_z_score():
    verdict = decide(replace(NONE, shape=shape(-40, spread=-20)))
    assert verdict.label == "no-sign"
    assert "As a whole they are nearer (C_T −40)" in verdict.sentence
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["Narrower", "Nearer as a whole"]


def test_all_evidence_stands_in_the_reasons_whatever_decides():
    verdict = decide(
        replace(NONE, fraction=fraction(100), near=near(30), exact=exact(3), shape=shape(5))
    )
    text = " ".join([verdict.sentence, *verdict.reasons])
    for words in (
        "About 9.8 %",
        "more than three times nearer",
        "exact copies",
        "Farther as a whole",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"fraction": fraction(100)}, "than held-out images ever are in lite0 or pixels@64"),
        ({"near": near(30)}, "are in pixels@64 more than three times nearer"),
        ({"shape": shape(-15)}, "lie in lite0 nearer to the training images"),
        ({"shape": shape(15)}, "lie in lite0 farther from the training images"),
        ({"shape": shape(0, spread=-10)}, "are in lite0 closer to each other"),
        ({"closer": (5, 0.001)}, "than every held-out image in lite0 or pixels@64;"),
        ({"yardstick": OTHER, "of_left_out": fraction(100)}, "are to each other in sscd."),
    ],
)
def test_evidence_names_its_feature_space(evidence, words):
    verdict = decide(replace(NONE, **evidence))
    assert words in " ".join([verdict.sentence, *verdict.reasons])


@pytest.mark.parametrize(
    ("below", "images", "words"),
    [
        (1, 1, "The only one of the generated images"),
        (50, 50, "All 50 generated images (92.9 to 100 %) are closer"),
        (1, 50, "one of 50, are closer"),
        (20, 50, "some 20 of 50, are closer"),
    ],
)
def test_numbers_of_closer_images_read_as_words(below, images, words):
    result = fraction(below, images=images)
    assert words in closer_images(result, result.interval)


@pytest.mark.parametrize(("below", "crowd"), [(100, False), (700, True)])
def test_more_than_half_of_all_images_can_mean_something_else(below, crowd):
    verdict = decide(replace(NONE, fraction=fraction(below), yardstick=Yardstick(holds=True)))
    assert verdict.label == "copying"
    assert ("a wrong folder was given" in verdict.sentence) == crowd


def test_without_a_yardstick_it_is_said_what_differs_and_nobody_is_accused():
    finding = "40 of 50 generated images are flagged as copies."
    verdict = decide(replace(NONE, yardstick=OTHER, flagged=40, finding=finding))
    assert verdict.sentence.startswith(
        "No yardstick: training images are JPEG, held-out images PNG."
    )
    assert "flagged" not in verdict.sentence
    assert "copies" not in verdict.sentence


def test_what_does_not_count_without_a_yardstick_stands_in_the_reasons():
    finding = "40 of 50 generated images are flagged as copies."
    verdict = decide(
        replace(
            NONE,
            yardstick=OTHER,
            flagged=40,
            finding=finding,
            near=near(20),
            fraction=fraction(40),
        )
    )
    assert verdict.label == "no-yardstick"
    reasons = " ".join(verdict.reasons)
    for words in ("40 of 1,000", "accuses none of them", "About 3.8 %", "three times nearer"):
        assert words in reasons


def test_no_flag_is_not_said_first_where_exact_copies_decide():
    finding = "None of the 1,000 generated images is flagged as a copy."
    verdict = decide(replace(NONE, finding=finding, exact=exact(75)))
    assert verdict.label == "copying"
    assert verdict.sentence.startswith("75 of 1,000 generated images are exact copies")
    assert "flagged" not in verdict.sentence
    weak = decide(replace(NONE, finding=finding, near=near(6)))
    assert weak.sentence.startswith("6 generated images")
    assert finding in weak.sentence


def test_one_bound_stands_in_a_verdict_the_one_that_was_measured():
    bound = "At most 9.0 % of the generated images are copies of the kinds planted (95 %)."
    assert decide(NONE).sentence.count("At most") == 1
    sentence = decide(replace(NONE, bound=bound)).sentence
    assert bound[:-1] in sentence
    assert sentence.count("At most") == 1


def test_repeats_inside_train_explain_exact_copies_where_nothing_else_can_be_compared():
    generated = {"generated": np.where(np.arange(500) < 75, 0.0, 1.0)}
    unknown = count_exact_copies(generated, held_out=False, what="to the pixel")
    assert not unknown.strong
    assert unknown.weak
    alone = count_exact_copies(generated, held_out=False, repeats=(0, 500), what="to the pixel")
    assert alone.strong
    explained = count_exact_copies(
        generated, held_out=False, repeats=(125, 500), what="to the pixel"
    )
    assert "125 of 500 training images are equal" in explained.explanation
    test = generated | {"test": np.ones(1_000)}
    contradicted = count_exact_copies(test, held_out=True, repeats=(125, 500), what="to the pixel")
    assert contradicted.strong
    other = count_exact_copies(
        test, held_out=True, comparable=False, repeats=(125, 500), what="to the pixel"
    )
    assert other.explanation


def test_the_chance_of_near_copies_is_that_of_fishers_test():
    from scipy.stats import fisher_exact

    expected = fisher_exact([[6, 994], [1, 999]], alternative="greater").pvalue
    assert near(6, test=1).p_value == pytest.approx(expected)
