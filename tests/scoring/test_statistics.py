"""The training set of a score as statistics: FD from them, and nothing that needs rows."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import genmem
from genmem import InputError, Statistics, UsageError
from genmem.cli.app import run


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Features of 12 columns as files, and the statistics of train in each layout."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    rows = {
        "train": np.abs(rng.normal(size=(90, 12))).astype(np.float32),
        "generated": np.abs(rng.normal(0.2, 1.3, (80, 12))).astype(np.float32),
    }
    for role, array in rows.items():
        np.save(f"{role}.npy", array)
    double = rows["train"].astype(np.float64)
    statistics = {"mu": double.mean(0), "sigma": np.cov(double.T)}
    np.savez("fid.npz", **statistics)
    np.savez_compressed("adm.npz", **statistics, mu_s=np.zeros(7), sigma_s=np.eye(7))
    return rows


def frechet(generated, train):
    """FD by its formula, with scipy's matrix square root."""
    from scipy.linalg import sqrtm

    first, second = (np.cov(array.astype(np.float64).T) for array in (generated, train))
    shift = generated.astype(np.float64).mean(0) - train.astype(np.float64).mean(0)
    root = np.real(sqrtm(first @ second))
    return shift @ shift + np.trace(first) + np.trace(second) - 2 * np.trace(root)


@pytest.mark.parametrize("file", ["fid.npz", "adm.npz"])
def test_fd_from_statistics_equals_fd_from_the_rows(sets, file):
    score = genmem.score(generated="generated.npy", train=file)
    rows = genmem.score(generated="generated.npy", train="train.npy", metrics=["fd", "fd_infinity"])
    assert score["fd"].value == pytest.approx(frechet(**sets), rel=1e-6)
    assert score["fd"].value == pytest.approx(rows["fd"].value, rel=1e-6)
    assert score["fd"].interval.high == pytest.approx(rows["fd"].interval.high, rel=1e-5)
    assert score["fd_infinity"].value == pytest.approx(rows["fd_infinity"].value, rel=1e-6)
    assert set(score.metrics) == {"fd", "fd_infinity"}
    assert score.inputs["train"].kind == "statistics"
    assert score.inputs["train"].count is None
    assert any("c_t, memorization_ratio" in n and "statistics" in n for n in score.notes)


@pytest.mark.parametrize("rows", [5, 12, 13])
def test_fd_from_a_singular_covariance_equals_fd_from_few_rows(sets, rows):
    few = sets["train"][:rows]
    double = few.astype(np.float64)
    statistics = Statistics(mu=double.mean(0), sigma=np.cov(double.T))
    for generated in (sets["generated"], sets["generated"][:7]):
        ours = genmem.fd(generated=generated, train=statistics).value
        assert ours == pytest.approx(genmem.fd(generated=generated, train=few).value, rel=1e-6)


def test_statistics_in_memory_are_taken_too(sets):
    statistics = genmem.load_statistics("fid.npz")
    score = genmem.score(generated=sets["generated"], train=statistics, metrics=["fd"])
    assert score["fd"].value == pytest.approx(frechet(**sets), rel=1e-6)


def test_a_metric_of_single_rows_is_refused_by_name(sets):
    for name in ("memorization_distance", "mifid", "kid", "precision", "authpct"):
        with pytest.raises(UsageError, match=r"takes single training images.*statistics"):
            genmem.score(generated="generated.npy", train="fid.npz", metrics=["fd", name], tau=0.1)


def test_statistics_of_another_dimension_are_refused(sets):
    np.savez("s.npz", mu=np.zeros(5), sigma=np.eye(5))
    with pytest.raises(InputError, match="generated has 12, train has 5"):
        genmem.score(generated="generated.npy", train="s.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": np.zeros(12), "sigma": np.eye(11)}, r"s\.npz: expected mu \[d\]"),
        ({"mu": np.zeros(12), "sigma": np.full((12, 12), np.nan)}, r"s\.npz: sigma holds NaN"),
        ({"mu": np.zeros(12), "sigma": -np.eye(12)}, r"s\.npz: .*negative"),
        ({"mu": np.array([None]), "sigma": np.eye(12)}, r"s\.npz"),
    ],
)
def test_a_damaged_file_of_statistics_is_named(sets, arrays, message):
    np.savez("s.npz", **arrays)
    with pytest.raises(InputError, match=message):
        genmem.score(generated="generated.npy", train="s.npz", metrics=["fd"])


def test_a_batch_of_adm_gives_fd_of_the_whole_set_and_the_rest_of_its_images(
    images, tmp_path, monkeypatch
):
    train = np.random.default_rng(5).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    rows = train.reshape(60, -1)[:, :] / 255.0
    arrays = {"mu": rows.mean(0), "sigma": np.cov(rows.T), "mu_s": np.zeros(3)}
    np.savez(tmp_path / "batch.npz", arr_0=train[:20], **arrays)
    options = {"generated": images["generated"], "backbone": "pixels"}
    batch = genmem.score(train=tmp_path / "batch.npz", **options)
    assert any("(inception) are not used" in note for note in batch.notes)
    assert "train_moments" not in batch.provenance
    monkeypatch.setattr(sys.modules["genmem.scoring.one_space"], "_OF_STATISTICS", ("pixels",))
    batch = genmem.score(train=tmp_path / "batch.npz", **options)
    whole, part = (genmem.score(train=pixels, **options) for pixels in (train, train[:20]))
    scale = whole["fd"].parts["trace_train"] / np.trace(arrays["sigma"])
    assert batch["fd"].parts["trace_train"] * scale == pytest.approx(
        whole["fd"].parts["trace_train"], rel=1e-6
    )
    for name in ("memorization_distance", "kd", "authpct"):
        assert batch[name].value == part[name].value
    assert batch.provenance["train_moments"] == "mu and sigma of batch.npz"
    assert any("describe the whole data set" in note for note in batch.notes)


DOORS = (
    "score fid.npz --train train.npy",
    "score generated.npy --train train.npy --test fid.npz",
    "score adm.npz --train fid.npz",
    "audit generated.npy --train fid.npz --out o",
    "audit fid.npz --train train.npy --out o",
    "audit generated.npy --train train.npy --test fid.npz --out o",
    "calibrate fid.npz=honest generated.npy=cheating --train train.npy",
    "calibrate generated.npy=honest train.npy=cheating --train fid.npz",
    "features fid.npz --out f.npy",
    "cheat aug --train fid.npz --out o.zip",
    "train gan --model dcgan --train fid.npz --out o",
    "train diffusion --train fid.npz --out o",
    "study emm --train fid.npz --out o",
    "study rejection --train fid.npz --test train.npy --out o",
)


@pytest.mark.parametrize("line", DOORS)
def test_statistics_are_no_rows_at_any_other_door(sets, tmp_path, line, capsys):
    assert run(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert "mu and sigma" in captured.err
    assert not (tmp_path / "o").exists()


def test_the_command_gives_fd_and_says_where_it_comes_from(sets, capsys):
    line = "score generated.npy --train fid.npz --json s.json --report r.html"
    assert run(line.split()) == 0
    captured = capsys.readouterr()
    assert "mu and sigma of fid.npz" in captured.err
    document = json.loads(Path("s.json").read_text(encoding="utf-8"))
    assert document["metrics"]["fd"]["value"] == pytest.approx(frechet(**sets), rel=1e-6)
    assert document["inputs"]["train"]["kind"] == "statistics"
    assert document["provenance"]["train_moments"] == "mu and sigma of fid.npz"
    line = "score generated.npy --train fid.npz --metrics fd,memorization_distance"
    assert run(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("genmem: memorization_distance takes single training images")


@pytest.mark.parametrize("suffix", [".pkl", ".PICKLE"])
def test_pickles_of_statistics_are_refused_and_never_loaded(sets, tmp_path, suffix, capsys):
    path = tmp_path / f"dataset{suffix}"
    path.write_bytes(b"cos\nsystem\n(S'touch loaded'\ntR.")
    assert run(["score", "generated.npy", "--train", str(path)]) == 2
    assert "is a pickle file, which is never loaded" in capsys.readouterr().err
    assert not (tmp_path / "loaded").exists()
    with pytest.raises(InputError, match="pickle file"):
        genmem.load_statistics(path)


def test_a_running_score_takes_statistics_and_batches_of_images_or_features(images, tmp_path):
    pixels = np.random.default_rng(6).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    train = genmem.RunningScore(train=images["train"], backbone="pixels", metrics=["fd"])
    rows = train._fixed["train"].array.astype(np.float64)
    np.savez(tmp_path / "s.npz", mu=rows.mean(0), sigma=np.cov(rows.T))
    running = genmem.RunningScore(train=tmp_path / "s.npz", backbone="pixels")
    for score in (train, running):
        for batch in (pixels[:25], pixels[25:]):
            score.update(batch)
    assert running.compute()["fd"].value == pytest.approx(train.compute()["fd"].value, rel=1e-6)
    of_features = genmem.RunningScore(train=tmp_path / "s.npz", backbone="pixels", metrics=["fd"])
    with genmem.open_images(pixels) as source:
        features = genmem.extract(source, extractor=genmem.load_backbone("pixels")).array
    of_features.update(features)
    assert of_features.compute()["fd"].value == pytest.approx(
        running.compute()["fd"].value, rel=1e-6
    )
    with pytest.raises(InputError, match="differ in feature dimension"):
        of_features.update(features[:, :5])
    running.merge(of_features)
    assert running.count == 80
    with pytest.raises(UsageError, match="statistics"):
        genmem.RunningScore(train=tmp_path / "s.npz", backbone="pixels", metrics=["mifid"], tau=0.1)
