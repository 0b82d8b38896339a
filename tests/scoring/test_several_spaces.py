"""One score in several feature spaces: the numbers of each, one verdict over all."""

from dataclasses import replace

import numpy as np
import pytest

import genmem
from genmem.errors import UsageError
from genmem.formatting import share
from genmem.results import Interval, Result, Yardstick
from genmem.scoring.evidence import Evidence
from genmem.scoring.verdict_over_spaces import decide_over_spaces
from genmem.scoring.verdict_rule import decide

SPACES = ["pixels", "pixels@8"]


def test_each_space_has_the_numbers_that_a_score_in_it_alone_has(images):
    options = {**images, "metrics": ["fd", "fd_ratio", "copied_fraction", "precision"]}
    both = genmem.score(**options, backbone=SPACES)
    assert list(both.spaces) == SPACES
    assert both.backbone == {"names": SPACES}
    for name in SPACES:
        alone = genmem.score(**options, backbone=name)
        assert dict(both.spaces[name].metrics) == dict(alone.metrics)
        assert both.spaces[name].backbone["name"] == name
        assert both.spaces[name].verdict is both.verdict
        assert [pair.generated_id for pair in both.spaces[name].closest] == [
            pair.generated_id for pair in alone.closest
        ]
    ratios = [both.spaces[name]["fd_ratio"].value for name in SPACES]
    assert both["fd_ratio"].value == pytest.approx(np.mean(ratios))
    assert both.verdict.label == "copying"
    document = both.to_dict()
    assert list(document["spaces"]) == SPACES
    of_space = set(document["spaces"]["pixels"])
    assert {"metrics", "backbone", "closest", "notes", "seconds"} <= of_space
    assert not of_space & {"verdict", "yardstick", "inputs", "provenance"}


def test_a_list_of_one_backbone_is_that_backbone_alone(images):
    one = genmem.score(**images, backbone=["pixels"], metrics=["authpct"])
    assert not one.spaces
    assert "spaces" not in one.to_dict()
    assert (
        one["authpct"] == genmem.score(**images, backbone="pixels", metrics=["authpct"])["authpct"]
    )


def test_what_does_not_go_with_several_spaces_is_refused_in_a_line(images, features):
    with pytest.raises(UsageError, match="the sets are features, which belong to one"):
        genmem.score(**features, backbone=SPACES)
    with pytest.raises(UsageError, match="a threshold belongs to one feature space"):
        genmem.score(**images, backbone=SPACES, tau=0.1)
    with pytest.raises(UsageError, match="expected thresholds for some of pixels"):
        genmem.score(**images, backbone=SPACES, tau={"nasnet": 0.1})
    with pytest.raises(UsageError, match="inception_score needs class logits"):
        genmem.score(**images, backbone=SPACES, metrics=["fd", "inception_score"])
    with pytest.raises(UsageError, match="different names"):
        genmem.score(**images, backbone=["pixels", "pixels"])


def test_a_threshold_by_backbone_is_used_where_it_belongs(images):
    result = genmem.score(**images, backbone=SPACES, tau={"pixels": 0.3}, metrics=["mifid"])
    assert result.spaces["pixels"]["mifid"].parts["tau"] == 0.3
    assert "mifid" not in result.spaces["pixels@8"].metrics
    assert any("mifid was left out" in note for note in result.spaces["pixels@8"].notes)


def fraction(low, p_value, *, high=0.01):
    return Result(
        name="copied_fraction",
        value=low + 0.001 if low else 0.0,
        n={"generated": 1_000, "test": 1_000},
        interval=Interval(low=low, high=high, level=0.95, method="exact"),
        parts={"p_value": p_value, "detectable_share": 0.01},
    )


def evidence(name, low=0.0, p_value=1.0, **more):
    return Evidence(
        images=1_000,
        fraction=fraction(low, p_value),
        yardstick=more.pop("yardstick", Yardstick(holds=True)),
        where=f"in {name}",
        where_shape=f"in {name}",
        **more,
    )


def test_no_space_silences_another():
    silent, strong = evidence("a"), evidence("b", low=0.02, p_value=1e-6)
    weak = evidence("c", low=0.002, p_value=0.02)
    verdict = decide_over_spaces({"a": silent, "b": strong, "c": weak})
    assert verdict.label == "copying"
    assert verdict.basis == ("share",)
    assert "in b" in verdict.sentence
    assert any("ever are in c" in reason for reason in verdict.reasons)
    assert decide_over_spaces({"a": silent, "c": weak}).label == "suspicious"


def test_an_accusation_must_be_rarer_the_more_spaces_there_are():
    alone = evidence("a", low=0.01, p_value=0.004)
    assert decide(alone).label == "copying"
    both = decide_over_spaces({"a": alone, "b": evidence("b")})
    assert both.label == "suspicious"
    surely = evidence("a", low=0.01, p_value=0.0024)
    assert decide_over_spaces({"a": surely, "b": evidence("b")}).label == "copying"


def test_no_sign_bounds_the_copies_in_each_space_and_names_what_was_not_looked_for():
    first = evidence("a")
    second = replace(evidence("b"), fraction=fraction(0.0, 1.0, high=0.03))
    verdict = decide_over_spaces({"a": first, "b": second})
    assert verdict.label == "no-sign"
    assert "No copies found in a or b" in verdict.sentence
    assert f"At most {share(0.01)} in a and {share(0.03)} in b" in verdict.sentence
    assert "Not looked for: " in verdict.sentence


def test_a_space_in_which_nothing_can_be_told_stands_in_the_reasons():
    blind = replace(evidence("b"), fraction=replace(fraction(0.0, 1.0), parts={}))
    verdict = decide_over_spaces({"a": evidence("a"), "b": blind})
    assert verdict.label == "no-sign"
    assert "in a:" in verdict.sentence
    assert any("No verdict on copying" in reason for reason in verdict.reasons)


def test_where_held_out_images_are_no_yardstick_in_one_space_no_space_accuses_by_them():
    fails = Yardstick(holds=False, reasons=("In b, they differ.",), failing=("two_sample",))
    strong = evidence("a", low=0.02, p_value=1e-6, yardstick=fails)
    verdict = decide_over_spaces({"a": strong, "b": evidence("b", yardstick=fails)})
    assert verdict.label == "no-yardstick"
    assert any("closer to training images than held-out" in one for one in verdict.reasons)


def test_the_table_and_the_page_have_a_column_a_space(images, tmp_path, capsys):
    from genmem.cli.app import run

    page, file = tmp_path / "r.html", tmp_path / "s.json"
    sets = [str(images["generated"]), "--train", str(images["train"])]
    options = ["--backbone", "pixels,pixels@8", "--metrics", "fd,fd_ratio"]
    options += ["--test", str(images["test"]), "--report", str(page), "--json", str(file)]
    assert run(["score", *sets, *options]) == 0
    printed = capsys.readouterr()
    header = next(line for line in printed.out.splitlines() if line.startswith("Metric"))
    assert "pixels" in header
    assert "pixels@8" in header
    assert "in pixels: " in printed.err
    text = page.read_text()
    assert "The closest pairs in pixels@8" in text
    assert "All metrics by feature space" in text
    ids = [part.split('"')[0] for part in text.split(' id="')[1:]]
    assert len(set(ids)) == len(ids)
