import numpy as np
import pytest
from PIL import Image

from genmem.calibration import Labels
from genmem.calibration.from_images import calibrate_sets, set_distances
from genmem.errors import InputError, UsageError
from genmem.metrics.memorization_distance import memorization_distance
from genmem.scoring.feature_sets import ExtractOptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Feature files: `train`, honest sets drawn like it, and copies with a little noise."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    train = rng.random((60, 8)).astype(np.float32)
    np.save("train.npy", train)
    for name in ("honest1", "honest2", "honest3"):
        np.save(f"{name}.npy", rng.random((30, 8)).astype(np.float32))
    for name, noise in (("copy1", 0.01), ("copy2", 0.05)):
        np.save(f"{name}.npy", train[:30] + noise * rng.random((30, 8)).astype(np.float32))
    return tmp_path


SETS = {
    "honest1.npy": "honest",
    "copy1.npy": "mgan",
    "honest2.npy": "honest",
    "copy2.npy": "sup",
    "honest3.npy": "non-mem",
}


def test_a_sets_distance_is_its_memorization_distance(folder):
    found = set_distances(["copy1.npy"], train="train.npy")
    expected = memorization_distance(generated=np.load("copy1.npy"), train=np.load("train.npy"))
    assert found.means["copy1.npy"] == expected.value
    assert found.images["copy1.npy"].mean() == pytest.approx(expected.value)
    assert found.space == "features"


def test_copies_and_honest_sets_are_separated(folder):
    (found,), (measured,) = calibrate_sets(SETS, train="train.npy", labels=Labels())
    honest = [measured.means[name] for name, label in SETS.items() if label != "mgan"]
    assert found.tau == min(mean for mean in honest if mean > measured.means["copy2.npy"])
    assert found.margins.auc == 1
    chosen = found.thresholds["false_penalty"]
    assert (chosen.caught, chosen.cheating, chosen.honest) == (2, 2, 3)
    assert chosen.expected_false_penalty_rate == 0.25
    assert found.image_margins is not None
    assert (found.image_margins.honest, found.image_margins.cheating) == (90, 60)


def test_features_have_one_space_whatever_backbones_are_named(folder):
    found, _ = calibrate_sets(
        SETS, train="train.npy", labels=Labels(), backbone=("inception", "pixels")
    )
    assert [one.space for one in found] == ["features"]


def test_images_are_compared_in_every_backbone(folder):
    rng = np.random.default_rng(1)
    train = rng.integers(256, size=(20, 8, 8, 3), dtype=np.uint8)
    np.save("images.npy", train)
    np.save("new.npy", rng.integers(256, size=(12, 8, 8, 3), dtype=np.uint8))
    np.save("old.npy", train[:12] ^ 1)
    found, measured = calibrate_sets(
        {"new.npy": "honest", "old.npy": "cheating"},
        train="images.npy",
        labels=Labels(),
        backbone=("pixels",),
    )
    assert found[0].space == "pixels"
    assert found[0].image_margins.auc == 1
    assert measured[0].inputs["old.npy"].count == 12
    assert any("Only 1 honest entry" in note for note in found[0].notes)


def test_images_and_side_files_that_are_left_out_are_counted_in_a_note(folder):
    rng = np.random.default_rng(1)
    train = rng.integers(256, size=(20, 8, 8, 3), dtype=np.uint8)
    np.save("images.npy", train)
    for name, pixels in (("new", rng.integers(256, size=(12, 8, 8, 3))), ("old", train ^ 1)):
        (folder / name).mkdir()
        for number, image in enumerate(pixels.astype(np.uint8)):
            Image.fromarray(image).save(folder / name / f"{number}.png")
    (folder / "new" / "1.json").write_text("{}")
    (folder / "old" / "2.png").write_bytes(b"broken")
    found, measured = calibrate_sets(
        {"new": "honest", "old": "cheating"},
        train="images.npy",
        labels=Labels(),
        backbone=("pixels",),
        options=ExtractOptions(skip_broken=True),
    )
    assert measured[0].inputs["old"].count == 19
    assert "1 side file (captions, labels, metadata) in new was left out." in found[0].notes
    assert "1 file of set old that cannot be read as an image was left out." in found[0].notes


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ({"honest1.npy": "honest", "copy1.npy": "mgna"}, "copy1.npy: label 'mgna' is unknown"),
        ({"honest1.npy": "honest", "copy1.npy": ""}, "expected a label after ="),
        ({"honest1.npy": "honest"}, "expected a set that is cheating"),
        ({"copy1.npy": "ae"}, "expected a set that is honest"),
    ],
)
def test_labels_are_checked_before_any_work(folder, sets, words):
    with pytest.raises(UsageError, match=words):
        calibrate_sets(sets, train="missing.npy", labels=Labels())


def test_backbones_are_checked_before_any_work(folder):
    with pytest.raises(UsageError, match="several of different names"):
        calibrate_sets(SETS, train="train.npy", labels=Labels(), backbone=("pixels", "pixels"))
    with pytest.raises(UsageError, match="one backbone"):
        calibrate_sets(
            SETS,
            train="train.npy",
            labels=Labels(),
            backbone=("pixels", "inception"),
            options=ExtractOptions(weights="w.pth"),
        )


def test_sets_of_another_dimension_are_named(folder):
    np.save("wide.npy", np.ones((4, 9), dtype=np.float32))
    with pytest.raises(InputError, match=r"wide\.npy: expected features of dimension 8"):
        set_distances(["wide.npy"], train="train.npy")
