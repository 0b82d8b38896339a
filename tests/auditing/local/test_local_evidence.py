"""Local evidence on rendered scenes: partial copies are found with their region, others are not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("cv2", reason="needs the extra local")
pytest.importorskip("faiss", reason="needs the extra local")

from genmem.auditing.local import HonestImages, local_evidence
from genmem.auditing.local.keypoints import detect_keypoints, mirrored
from genmem.images import open_images

WIDTH, HEIGHT = 240, 180


def amount(statistic):
    """The evidence behind the statistic exp(−evidence / 100)."""
    return -100 * np.log(statistic)


CROP = (100, 60, 196, 132)
PLACE = (20, 70, 140, 160)


def render_scene(seed):
    """A scene of random triangles over a gradient, with noise, uint8 [180, 240, 3]."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, WIDTH)[None, :, None] * rng.integers(0, 120, 3)
    canvas = np.broadcast_to(ramp + rng.integers(40, 120, 3), (HEIGHT, WIDTH, 3))
    image = Image.fromarray(canvas.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(45):
        x, y = rng.integers(0, WIDTH), rng.integers(0, HEIGHT)
        corners = [(int(x + a), int(y + b)) for a, b in rng.integers(-25, 26, (3, 2))]
        draw.polygon(corners, fill=tuple(rng.integers(0, 256, 3).tolist()))
    noise = rng.normal(0, 4, (HEIGHT, WIDTH, 3))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def enlarged_crop(pixels, box):
    """The box (left, top, right, bottom) of an image, resized to the image's size."""
    return np.asarray(Image.fromarray(pixels).crop(box).resize((WIDTH, HEIGHT)))


def pasted(pixels, background, box):
    """An image pasted into a box of another."""
    canvas = Image.fromarray(background)
    size = (box[2] - box[0], box[3] - box[1])
    canvas.paste(Image.fromarray(pixels).resize(size), box[:2])
    return np.asarray(canvas)


@pytest.fixture(scope="module")
def scenes():
    train = [render_scene(seed) for seed in range(16)]
    test = [render_scene(seed) for seed in range(100, 110)]
    honest = [render_scene(seed) for seed in range(200, 206)]
    copies = [
        enlarged_crop(train[0], CROP),
        pasted(train[1], honest[1], PLACE),
        np.ascontiguousarray(np.rot90(train[2])),
        np.ascontiguousarray(train[3][:, ::-1]),
        np.concatenate([train[4][:, : WIDTH // 2], honest[4][:, WIDTH // 2 :]], axis=1),
        pasted(train[5], honest[5], (0, 0, WIDTH, HEIGHT // 2)),
    ]
    return {"train": train, "test": test, "generated": [*copies, *honest]}


def write(folder, images):
    folder.mkdir()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def folders(scenes, tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    return {role: write(root / role, images) for role, images in scenes.items()}


def search(folders, *, leave_out=False, groups=None):
    """Local evidence with useless candidates, so that only votes propose the right ones."""
    with (
        open_images(folders["generated"]) as generated,
        open_images(folders["train"]) as train,
        open_images(folders["test"]) as test,
    ):
        rows = np.arange(len(train))
        count = len(train) if leave_out else len(test)
        return local_evidence(
            generated=generated,
            train=train,
            honest=HonestImages(
                source=None if leave_out else test,
                candidates=((np.arange(count) + 5) % len(train))[:, None],
                train_rows=rows if leave_out else None,
                train_groups=groups,
            ),
            candidates=np.full((len(generated), 1), 15),
            train_rows=rows,
        )


@pytest.fixture(scope="module")
def evidence(folders):
    return search(folders)


def test_copies_of_a_part_have_more_evidence_than_any_honest_image(evidence):
    assert evidence.train[:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert amount(evidence.statistic[:6]).min() > 2 * amount(evidence.honest).max()
    assert amount(evidence.statistic[6:]).max() < amount(evidence.statistic[:6]).min() / 2
    assert (evidence.statistic > 0).all()
    assert evidence.inliers[:6].min() > 5 >= evidence.honest_inliers.max()


def test_the_region_of_a_crop_is_where_it_was_cut_out(evidence):
    region = evidence.regions[0]
    left, top = region.train.min(axis=0)
    right, bottom = region.train.max(axis=0)
    assert left >= CROP[0] - 3
    assert top >= CROP[1] - 3
    assert right <= CROP[2] + 3
    assert bottom <= CROP[3] + 3
    middle = region.transform[:, :2] @ [WIDTH / 2, HEIGHT / 2] + region.transform[:, 2]
    np.testing.assert_allclose(middle, [148, 96], atol=2)
    assert not region.mirrored


def test_the_region_of_a_pasted_image_is_where_it_was_pasted(evidence):
    region = evidence.regions[1]
    assert region.generated[:, 0].min() >= PLACE[0] - 3
    assert region.generated[:, 1].max() <= PLACE[3] + 3
    assert region.share[1] > region.share[0]


def test_a_mirrored_copy_maps_to_the_same_place_of_the_training_image(evidence):
    region = evidence.regions[3]
    assert region.mirrored
    mapped = region.transform[:, :2] @ [0, 0] + region.transform[:, 2]
    np.testing.assert_allclose(mapped, [WIDTH - 1, 0], atol=3)


def test_keypoints_of_a_mirrored_image_are_computed_without_detecting_them_again(scenes):
    pixels = scenes["train"][0]
    computed = mirrored(detect_keypoints(pixels))
    detected = detect_keypoints(np.ascontiguousarray(pixels[:, ::-1]))
    similarity = computed.descriptors.astype(float) @ detected.descriptors.astype(float).T / 512**2
    nearest = similarity.argmax(axis=1)
    assert np.median(similarity.max(axis=1)) > 0.99
    offset = computed.points[:, :2] - detected.points[nearest, :2]
    assert np.median(np.abs(offset)) < 1


def test_the_result_does_not_depend_on_the_number_of_threads(folders, evidence, monkeypatch):
    monkeypatch.setattr("genmem.auditing.local.evidence.usable_cores", lambda: 4)
    again = search(folders)
    np.testing.assert_array_equal(evidence.statistic, again.statistic)
    np.testing.assert_array_equal(evidence.honest, again.honest)


def test_left_out_training_images_are_not_compared_with_themselves(folders):
    result = search(folders, leave_out=True)
    assert len(result.honest) == 16
    assert amount(result.honest).max() < amount(result.statistic[:5]).min() / 2


def test_left_out_training_images_are_not_compared_with_their_group(scenes, tmp_path):
    burst = [*scenes["train"][:8], *(np.roll(image, 7, axis=1) for image in scenes["train"][:8])]
    folders = {
        "train": write(tmp_path / "train", burst),
        "test": write(tmp_path / "test", scenes["test"][:1]),
        "generated": write(tmp_path / "generated", scenes["generated"][:1]),
    }
    alone = search(folders, leave_out=True)
    in_groups = search(folders, leave_out=True, groups=np.arange(16) % 8)
    assert amount(alone.honest).min() > 10
    assert amount(in_groups.honest).max() < amount(alone.honest).min() / 2


def test_a_training_image_that_is_held_many_times_is_found_all_the_same(scenes, tmp_path):
    folders = {
        "train": write(tmp_path / "train", [*scenes["train"][:6], *[scenes["train"][0]] * 14]),
        "test": write(tmp_path / "test", scenes["test"][:4]),
        "generated": write(tmp_path / "generated", scenes["generated"][:1]),
    }
    result = search(folders)
    assert result.train[0] in {0, *range(6, 20)}
    assert amount(result.statistic[0]) > 2 * amount(result.honest).max()


def test_images_without_texture_have_no_keypoints_and_no_evidence(tmp_path):
    plain = [np.full((80, 100, 3), value, np.uint8) for value in (0, 90, 180, 255)]
    folders = {
        "train": write(tmp_path / "train", [plain[0]] * 8),
        "test": write(tmp_path / "test", plain[1:3]),
        "generated": write(tmp_path / "generated", plain[2:]),
    }
    with (
        open_images(folders["generated"]) as generated,
        open_images(folders["train"]) as train,
        open_images(folders["test"]) as test,
    ):
        result = local_evidence(
            generated=generated,
            train=train,
            honest=HonestImages(source=test, candidates=np.array([[0], [1]])),
            candidates=np.array([[3], [4]]),
            train_rows=np.arange(8),
        )
    assert result.statistic.tolist() == result.honest.tolist() == [1, 1]
    assert result.train.tolist() == [3, 4]
    assert result.regions == (None, None)
