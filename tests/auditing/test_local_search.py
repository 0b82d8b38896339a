"""Local evidence in an audit: partial copies are flagged with a region, and what was not looked for
is said."""

import importlib.util

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("cv2", reason="needs the extra local")
pytest.importorskip("faiss", reason="needs the extra local")

from genmem.auditing import audit
from genmem.auditing.local import availability
from genmem.errors import UsageError
from genmem.report.audit.tables import write_images

SIZE = (128, 96)


def render_scene(seed):
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", SIZE, tuple(rng.integers(40, 200, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        corners = [(int(x + a), int(y + b)) for a, b in rng.integers(-16, 17, (3, 2))]
        draw.polygon(corners, fill=tuple(rng.integers(0, 256, 3).tolist()))
    return np.asarray(image)


def pasted(pixels, background):
    canvas = Image.fromarray(background)
    canvas.paste(Image.fromarray(pixels).resize((80, 60)), (40, 30))
    return np.asarray(canvas)


@pytest.fixture(scope="module")
def sets():
    train = [render_scene(seed) for seed in range(24)]
    honest = [render_scene(seed) for seed in range(100, 160)]
    copies = [pasted(train[number], honest[number]) for number in range(10)]
    return {
        "train": np.stack(train),
        "test": np.stack(honest[20:]),
        "generated": np.stack([*copies, *honest[10:20]]),
    }


@pytest.fixture(scope="module")
def reports():
    """What the audit announced and the stages of its progress, in order."""
    return []


@pytest.fixture(scope="module")
def result(sets, reports, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Features in a cache of earlier tests would leave out the stages that compute them.
        patch.setenv("GENMEM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return audit(
            **sets,
            backbone=["pixels@16"],
            announce=reports.append,
            progress=lambda stage, done, total: reports.append(stage),
        )


def test_the_cost_is_announced_before_any_work_and_stages_name_their_set(result, reports):
    place = next(i for i, text in enumerate(reports) if text.startswith("local evidence: "))
    assert "keypoints of 84 images, and 60 images to match" in reports[place]
    assert not any("features in" in text for text in reports[:place])
    for name in ("generated images", "training images", "held-out images"):
        assert {f"{name}: features in pixels@16", f"{name}: keypoints"} <= set(reports[place:])


def test_pasted_copies_are_flagged_by_local_evidence(result):
    assert result.flagged.tolist() == [True] * 10 + [False] * 10
    space, row, _, _ = result.nearest(3)
    assert (space.name, row) == ("local", 3)
    assert result.local.inliers[:10].min() > result.local.honest_inliers.max()
    assert "local" in result.to_dict()["spaces"]


def test_pixels_alone_miss_them(sets):
    without = audit(**sets, backbone=["pixels@16"], local=False)
    assert not without.flagged.any()
    assert without.local is None
    assert any("not looked for (--no-local)" in note for note in without.notes)


def test_the_table_has_inliers_and_region(result, tmp_path):
    import pyarrow.parquet as pq

    write_images(result, tmp_path)
    table = pq.read_table(tmp_path / "images.parquet").to_pydict()
    assert table["local:inliers"] == result.local.inliers.tolist()
    assert table["local:region_generated"][0].startswith("[[")
    assert table["local:mirrored"][0] is False
    assert (tmp_path / "images.csv").exists()


def test_without_a_test_set_left_out_training_images_are_the_null(sets):
    given = {role: sets[role] for role in ("generated", "train")}
    result = audit(**given, backbone=["pixels@16"])
    assert len(result.local.honest) == 24
    assert result.local.statistic[:10].max() < result.local.honest.min()


def test_small_images_are_not_searched_and_a_note_says_so(sets):
    small = {role: images[:, :32, :32] for role, images in sets.items()}
    result = audit(**small, backbone=["pixels@16"])
    assert result.local is None
    assert any("images under 64 have too few keypoints" in note for note in result.notes)
    with pytest.raises(UsageError, match="local evidence cannot be looked for: the generated"):
        audit(**small, backbone=["pixels@16"], local=True)


def test_a_missing_package_is_named_with_the_extra(sets, monkeypatch):
    def without_opencv(name, *arguments):
        return None if name == "cv2" else importlib.util.find_spec(name, *arguments)

    monkeypatch.setattr(availability, "find_spec", without_opencv)
    result = audit(**sets, backbone=["pixels@16"])
    expected = "opencv-python-headless missing: pip install 'genmem[local]'"
    assert any(expected in note for note in result.notes)
    with pytest.raises(UsageError, match="pip install"):
        audit(**sets, backbone=["pixels@16"], local=True)


def test_features_have_no_local_evidence():
    rng = np.random.default_rng(0)
    given = {role: rng.normal(size=(40, 8)) for role in ("generated", "train", "test")}
    result = audit(**given)
    assert any("it needs images, not features" in note for note in result.notes)
    with pytest.raises(UsageError, match="it needs images"):
        audit(**given, local=True)


def test_local_evidence_that_cannot_be_had_is_refused_before_extraction(sets):
    small = {role: images[:, ::4, ::4] for role, images in sets.items()}
    announced = []
    with pytest.raises(UsageError, match="images under 64 have too few keypoints"):
        audit(**small, backbone=["pixels@16"], local=True, announce=announced.append)
    assert not announced
