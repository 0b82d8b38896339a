"""`genmem.score` puts the rooms together without changing what they say."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import genmem
from genmem import InputError, UsageError
from genmem.metrics.mifid import PUBLISHED_TAU
from genmem.metrics.registry import BUILT_IN, Metric, by_keyword
from genmem.results import Result


def test_every_metric_of_a_score_equals_the_metric_called_alone(features):
    found = genmem.score(**features, tau=0.5, seed=7)
    two = {"generated": features["generated"], "train": features["train"]}
    assert found["fd"].value == pytest.approx(genmem.fd(**two).value, rel=1e-9)
    assert replace(found["kd"], interval=None) == genmem.kd(**two, seed=7)
    assert found["fd_infinity"].value == pytest.approx(
        genmem.fd_infinity(**two, seed=7).value, rel=1e-6
    )
    assert found["memorization_distance"] == genmem.memorization_distance(**two)
    assert found["mifid"].value == pytest.approx(genmem.mifid(**two, tau=0.5).value, rel=1e-9)
    assert found["memorization_ratio"] == genmem.memorization_ratio(**two)
    assert found["authpct"] == genmem.authpct(**two)
    assert found["copied_fraction"] == genmem.copied_fraction(**features)
    assert found["nn_quantiles"] == genmem.nn_quantiles(**features)
    equal_train = np.sort(np.random.default_rng(7).choice(100, 60, replace=False))
    equal = {"generated": features["generated"], "train": features["train"][equal_train]}
    for metric in (genmem.precision, genmem.recall, genmem.density, genmem.coverage):
        alone = metric(**equal)
        assert found[alone.name].value == alone.value
        assert "random 60 of 100 train" in found[alone.name].notes[0]


def test_swapping_generated_and_train_changes_every_directed_metric(features):
    straight = genmem.score(generated=features["generated"], train=features["train"], tau=0.9)
    swapped = genmem.score(generated=features["train"], train=features["generated"], tau=0.9)
    for name, result in straight.metrics.items():
        if name in ("fd", "kd"):  # symmetric by definition; the subsets of kd are not
            assert result.n == {"generated": 60, "train": 100}
        else:
            assert swapped[name].value != pytest.approx(result.value, rel=1e-6), name


def test_copies_among_the_images_are_the_closest_pairs_with_their_pictures(images):
    found = genmem.score(**images, backbone="pixels", tau=0.2)
    copies = found.closest[:5]
    assert [pair.generated_id for pair in copies] == [f"{i:04d}.png" for i in range(3, 8)]
    assert [pair.train_id for pair in copies] == [f"{i:04d}.png" for i in range(20, 25)]
    assert all(pair.distance == 0 and pair.generated_png == pair.train_png for pair in copies)
    assert copies[0].generated_png.startswith(b"\x89PNG")
    assert found.closest[5].distance > 0
    assert found["memorization_ratio"].parts["memorized"] == 5
    assert len(found.nearest["generated"]) == len(found.nearest["test"]) == 40


def test_an_archive_and_a_folder_of_the_same_images_score_the_same(images, tmp_path):
    folder = genmem.score(**images, backbone="pixels")
    zipped = {
        role: shutil.make_archive(str(tmp_path / f"{role}-zipped"), "zip", path)
        for role, path in images.items()
    }
    archive = genmem.score(**zipped, backbone="pixels")
    assert archive.metrics == folder.metrics
    for role in images:
        assert archive.inputs[role].digest == folder.inputs[role].digest


def test_the_second_score_of_the_same_images_comes_from_the_cache_with_the_same_bytes(images):
    first, second = (genmem.score(**images, backbone="pixels") for _ in range(2))
    assert json.dumps(first.to_dict()["metrics"]) == json.dumps(second.to_dict()["metrics"])


def test_images_in_memory_score_like_images_in_files(images):
    stacked = {
        role: np.stack([_pixels(path) for path in sorted(folder.iterdir())])
        for role, folder in images.items()
    }
    in_memory = genmem.score(**stacked, backbone="pixels")
    from_iterables = genmem.score(
        **{role: iter(list(array)) for role, array in stacked.items()}, backbone="pixels"
    )
    files = genmem.score(**images, backbone="pixels")
    assert in_memory.metrics == files.metrics
    assert from_iterables.metrics == files.metrics


def test_a_note_says_that_a_set_is_compared_with_itself(images):
    found = genmem.score(
        generated=images["train"], train=images["train"], backbone="pixels", tau=0.1
    )
    assert found.notes[0].startswith("generated and train are the same set, byte for byte")
    assert found["fd"].value == pytest.approx(0, abs=1e-6)
    assert found["memorization_distance"].value == 0
    assert found["mifid"].parts["penalized"]


def test_a_note_says_that_a_test_set_was_trained_on(images):
    found = genmem.score(**(images | {"test": images["train"]}), backbone="pixels")
    assert any("there is nothing to compare with" in note for note in found.notes)


def test_a_note_says_what_a_metric_that_was_left_out_needs(features):
    found = genmem.score(generated=features["generated"], train=features["train"])
    left_out = " ".join(found.notes)
    for name, need in (
        ("c_t", "--test"),
        ("copied_fraction", "--test"),
        ("mifid", "--tau"),
        ("inception_score", "inception"),
    ):
        assert name not in found.metrics
        assert f"{name} was left out" in left_out
        assert need in left_out


@pytest.mark.parametrize("name", ["c_t", "copied_fraction", "mifid", "inception_score"])
def test_a_metric_chosen_by_name_that_cannot_be_computed_is_refused(name, features):
    with pytest.raises(UsageError, match=name):
        genmem.score(generated=features["generated"], train=features["train"], metrics=[name])


def test_only_the_chosen_metrics_are_computed_in_reading_order(features):
    found = genmem.score(**features, metrics=["recall", "fd"])
    assert list(found.metrics) == ["fd", "recall"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"metrics": ["fdd"]}, "fdd"),
        ({"metrics": "fd"}, "list of names"),
        ({"metrics": []}, "at least one of"),
        ({"tau": 2.0}, "tau"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
    ],
)
def test_a_wrong_call_is_refused_before_any_file_is_opened(wrong, message):
    with pytest.raises(UsageError, match=message):
        genmem.score(generated="not-there", train="not-there", **wrong)


@pytest.mark.parametrize("role", ["generated", "train", "test"])
def test_an_empty_text_is_refused_by_its_role_and_is_not_the_current_folder(role, images):
    with pytest.raises(UsageError, match=f"{role}: expected a value, got an empty text"):
        genmem.score(**images | {role: ""}, backbone="pixels")


def test_a_missing_training_set_is_found_before_the_generated_images_are_extracted(images):
    seen = []
    with pytest.raises(InputError, match="not-there"):
        genmem.score(
            generated=images["generated"],
            train="not-there",
            backbone="pixels",
            progress=lambda *told: seen.append(told),
        )
    assert not seen


def test_one_generated_image_is_refused_by_fd_and_measured_by_the_distance(images, features):
    one = features["generated"][:1]
    with pytest.raises(InputError, match=r"generated: expected at least 2 rows, got 1.*no set"):
        genmem.score(generated=one, train=features["train"])
    found = genmem.score(generated=one, train=features["train"], metrics=["memorization_distance"])
    assert found["memorization_distance"].n["generated"] == 1


def test_eight_images_leave_out_what_needs_more_and_say_so(images):
    for path in sorted(images["generated"].iterdir())[8:]:
        path.unlink()
    found = genmem.score(**images, backbone="pixels")
    assert "fd_infinity" not in found.metrics
    assert any(note.startswith("fd_infinity was left out: ") for note in found.notes)
    assert "recall" in found.metrics


def test_tensors_score_as_arrays_do_and_both_can_be_mixed(features):
    tensors = {role: torch.from_numpy(array) for role, array in features.items()}
    mixed = features | {"train": tensors["train"]}
    expected = genmem.score(**features, tau=0.5)
    for given in (tensors, mixed):
        found = genmem.score(**given, tau=0.5)
        assert list(found.metrics) == list(expected.metrics)
        for name, result in expected.metrics.items():
            assert found[name].value == pytest.approx(result.value, rel=1e-6), name


def test_missing_requirements_are_reported_before_any_image_is_read(images):
    seen = []
    with pytest.raises(UsageError, match="mifid"):
        genmem.score(
            generated=images["generated"],
            train=images["train"],
            backbone="pixels",
            metrics=["mifid"],
            progress=lambda *told: seen.append(told),
        )
    assert not seen


def test_fewer_images_than_dimensions_works_and_says_so(images):
    found = genmem.score(**images, backbone="pixels")
    assert np.isfinite(found["fd"].value)
    assert any("192 dimensions" in note and "biased" in note for note in found["fd"].notes)


def test_broken_images_are_left_out_on_request_and_counted(images):
    (images["generated"] / "0002.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(InputError, match=r"0002\.png"):
        genmem.score(**images, backbone="pixels")
    found = genmem.score(**images, backbone="pixels", skip_broken=True)
    assert found.inputs["generated"].count == 39
    assert found.inputs["generated"].skipped == ("0002.png",)
    assert "1 file of generated that cannot be read as an image was left out." in found.notes
    assert found.closest[0].generated_id == "0003.png"


def test_side_files_are_left_out_without_being_asked_and_counted(images):
    plain = genmem.score(**images, backbone="pixels", metrics=["memorization_distance"])
    for name in ("0000.json", "0000.txt", "0001.cls"):
        (images["train"] / name).write_text("7")
    found = genmem.score(**images, backbone="pixels", metrics=["memorization_distance"])
    assert "3 side files (captions, labels, metadata) in train were left out." in found.notes
    assert float(found["memorization_distance"]) == float(plain["memorization_distance"])


def test_features_of_another_dimension_are_refused(features):
    with pytest.raises(InputError, match="dimension"):
        genmem.score(generated=features["generated"][:, :5], train=features["train"])


def test_features_that_are_not_finite_name_their_row(features, tmp_path):
    features["train"][17, 3] = np.nan
    np.save(tmp_path / "train.npy", features["train"])
    with pytest.raises(InputError, match=r"train\.npy.*17"):
        genmem.score(generated=features["generated"], train=tmp_path / "train.npy")


def test_a_score_is_json_without_paths_of_this_machine(images, tmp_path):
    found = genmem.score(**images, backbone="pixels")
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert str(tmp_path) not in text
    assert set(found.to_dict()) >= {"metrics", "inputs", "backbone", "provenance", "seconds"}
    assert list(found.metrics) == [name for name in BUILT_IN if name in found.metrics]


def test_the_seed_decides_all_that_is_random_and_nothing_else(features):
    one, same, other = (genmem.score(**features, seed=seed) for seed in (1, 1, 2))
    assert one.metrics == same.metrics
    assert one["fd_infinity"].value != other["fd_infinity"].value
    assert one["memorization_distance"] == other["memorization_distance"]


WITH_INTERVALS = ("fd", "memorization_distance", "mifid", "c_t", "copied_fraction")


def test_intervals_name_their_method_and_hold_the_value(features):
    found = genmem.score(**features, tau=0.5)
    for name in (*WITH_INTERVALS, "memorization_ratio"):
        written = found.to_dict()["metrics"][name]
        interval = written["interval"]
        assert interval["low"] <= written["value"] <= interval["high"]
        assert interval["level"] == 0.95
        assert interval["method"]


def test_fds_interval_leaves_its_bias_out_and_says_how_large_that_is(features):
    both = genmem.score(**features)
    bias = both["fd_infinity"].parts["slope"] / 60
    assert f"(about {bias:.2g} here, by fd_infinity) is not in it" in both["fd"].notes[-1]
    alone = genmem.score(**features, metrics=["fd"])
    assert "choice of 60 generated images" in alone["fd"].notes[-1]
    assert "by fd_infinity" not in alone["fd"].notes[-1]


def test_fewer_rows_than_dimensions_have_no_interval_of_fd_and_mifid_and_say_so(features):
    wide = {role: np.hstack([rows] * 6) for role, rows in features.items()}
    found = genmem.score(**wide, tau=0.5)
    for name in ("fd", "mifid"):
        assert found[name].interval is None
        assert any(note.startswith("no confidence interval") for note in found[name].notes)
    assert found["memorization_distance"].interval is not None


def test_the_interval_of_mifid_holds_its_penalty(features):
    found = genmem.score(**features, metrics=["mifid"], tau=0.5)
    fd = genmem.score(**features, metrics=["fd"])["fd"]
    penalty = found["mifid"].parts["penalty"]
    assert penalty > 1
    assert found["mifid"].interval.high == pytest.approx(fd.interval.high * penalty, rel=0.3)


def test_training_images_repeated_in_an_honest_set_as_in_the_test_set_accuse_nobody():
    """One image in ten of this data is there twice, in whichever set it falls."""
    from genmem.report.score.verdict import verdict

    rng = np.random.default_rng(5)
    train = rng.normal(size=(2_000, 24)).astype(np.float32)
    honest, test = (rng.normal(size=(1_000, 24)).astype(np.float32) for _ in range(2))
    honest[:100], test[:100] = train[100:200], train[150:250]
    names = ["c_t", "copied_fraction", "nn_quantiles"]
    found = genmem.score(generated=honest, train=train, test=test, metrics=names)
    assert found["copied_fraction"].interval.low == 0
    assert verdict(found).level == "open"  # many copies could hide among so many repeats
    honest[100:200] = train[300:400]
    copied = genmem.score(generated=honest, train=train, test=test, metrics=names)
    assert copied["copied_fraction"].interval.low > 0.05
    assert verdict(copied).level == "copying"


def test_two_per_cent_of_near_copies_that_c_t_misses_make_the_verdict_copying():
    from genmem.report.score.verdict import verdict

    rng = np.random.default_rng(6)
    train = rng.normal(size=(3_000, 24)).astype(np.float32)
    generated, test = (rng.normal(size=(2_000, 24)).astype(np.float32) for _ in range(2))
    generated[:40] = train[:40] + 0.05 * rng.normal(size=(40, 24)).astype(np.float32)
    found = genmem.score(
        generated=generated, train=train, test=test, metrics=["c_t", "copied_fraction"]
    )
    assert found["c_t"].value > -3
    assert found["copied_fraction"].value == pytest.approx(0.02, abs=0.003)
    assert verdict(found).level == "copying"
    assert "some 37 of 2,000" in verdict(found).sentence  # 40, two or three by the honest share


def _pixels(path):
    from PIL import Image

    return np.asarray(Image.open(path))


def test_the_thresholds_are_the_published_ones():
    # Inception: the competition's public board; NASNet: its released script's private one.
    assert PUBLISHED_TAU == {"inception": 0.1, "nasnet": 0.25}


def test_features_of_different_backbones_are_refused_though_their_dimensions_agree(
    features, tmp_path
):
    for role, backbone in (("generated", "inception"), ("train", "resnet50")):
        rows = features[role]
        np.save(tmp_path / f"{role}.npy", rows)
        made = {"name": backbone, "preprocessing": "p", "weights_sha256": "w"}
        ids = [f"{role}/{number}.png" for number in range(len(rows))]
        sidecar = {"source": role, "digest": "d", "backbone": made, "skipped": [], "ids": ids}
        (tmp_path / f"{role}.ids.json").write_text(json.dumps(sidecar))
    given = {role: tmp_path / f"{role}.npy" for role in ("generated", "train")}
    with pytest.raises(InputError, match=r"different backbones.*inception.*resnet50"):
        genmem.score(**given)
    found = genmem.score(generated=given["generated"], train=features["train"])
    assert found.closest[0].generated_id.startswith("generated/")


def double(*, value):
    return Result(name="double", value=2 * value.value, n=value.n)


def metric_of(other):
    """A metric that is twice another one."""
    return Metric(
        name="double",
        function=double,
        inputs=by_keyword(value=other),
        title="Twice another metric",
        better="lower",
        group="quality",
        interpretation="{value}",
        source="a test",
    )


@pytest.mark.parametrize(("other", "need"), [("mifid", "threshold"), ("c_t", "held-out images")])
def test_a_metric_needs_what_the_metrics_that_it_takes_need(monkeypatch, other, need):
    monkeypatch.setitem(BUILT_IN, "double", metric_of(other))
    generated, train = np.random.default_rng(0).normal(size=(2, 60, 8)).astype(np.float32)
    with pytest.raises(UsageError, match=f"double .*{need}"):
        genmem.score(generated=generated, train=train, metrics=["double"])
    score = genmem.score(generated=generated, train=train)
    assert "double" not in score.metrics
    assert any(note.startswith("double was left out") for note in score.notes)


def test_a_metric_can_take_one_of_several_that_are_computed_together(monkeypatch):
    monkeypatch.setitem(BUILT_IN, "double", metric_of("precision"))
    generated, train = np.random.default_rng(0).normal(size=(2, 60, 8)).astype(np.float32)
    score = genmem.score(generated=generated, train=train, metrics=["double"])
    expected = genmem.precision(generated=generated, train=train)
    assert float(score.metrics["double"]) == pytest.approx(2 * float(expected))


def test_small_sets_are_scored_without_importing_torch_or_slow_parts_of_scipy():
    program = (
        "import sys, numpy as np, genmem\n"
        "sets = np.random.default_rng(0).normal(size=(3, 60, 8)).astype('float32')\n"
        "genmem.score(**dict(zip(('generated', 'train', 'test'), sets)))\n"
        "print({'torch', 'sklearn', 'scipy.stats', 'scipy.optimize'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
