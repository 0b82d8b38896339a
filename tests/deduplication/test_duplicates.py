"""`genmem.duplicates`: what repeats what, what is kept, and what never counts as a repeat."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import genmem
from genmem.deduplication.clusters import find_clusters
from genmem.deduplication.results import ImageFile, Match
from genmem.errors import UsageError

SPACES = ["pixels@64"]


def scene(seed, size=(160, 120)):
    """A picture with edges and texture at several scales."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n, 3)).astype(np.uint8)).resize(
                size, Image.Resampling.BICUBIC
            ),
            float,
        )
        for n in (4, 9, 20, 45)
    ]
    mixed = sum(layer * weight for layer, weight in zip(layers, (0.4, 0.3, 0.2, 0.1), strict=True))
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


CHANGES = {
    "JPEG 30": lambda image: jpeg(image, 30),
    "half the size": lambda image: image.resize((80, 60)),
    "squeezed": lambda image: image.resize((120, 120)),
    "mirrored": ImageOps.mirror,
    "darker": lambda image: image.point(lambda value: int(value * 0.6)),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "without color": lambda image: ImageOps.grayscale(image).convert("RGB"),
}
TURNED = {
    "turned by 20°": lambda image: image.rotate(20),
    "upside down": lambda image: image.rotate(180),
    "cropped": lambda image: image.crop((20, 16, 290, 220)).resize((320, 240)),
}


def folder_of(images, folder):
    folder.mkdir()
    for name, image in images.items():
        image.save(folder / f"{name}.png")
    return folder


@pytest.fixture
def others():
    return {f"other-{seed:02d}": scene(100 + seed) for seed in range(12)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_picture_is_a_repeat_and_the_larger_one_is_kept(tmp_path, others, name):
    images = {**others, "a": scene(0), "b": CHANGES[name](scene(0))}
    train = folder_of(images, tmp_path / "train")
    with genmem.duplicates(train, backbone=SPACES, local=False) as result:
        assert [result.images[row].id for row in result.clusters[0].rows] == ["a.png", "b.png"]
        assert len(result.clusters) == 1
        assert len(result.deleted) == 1
        if name == "half the size":
            assert result.deleted == ["b.png"]


@pytest.mark.parametrize("name", TURNED)
def test_a_turned_picture_is_found_by_its_shared_region(tmp_path, others, name):
    pytest.importorskip("cv2")
    images = {**others, "a": scene(0, (320, 240)), "b": TURNED[name](scene(0, (320, 240)))}
    train = folder_of(images, tmp_path / "train")
    with genmem.duplicates(train, backbone=["efficientnet-lite0", *SPACES]) as result:
        kinds = {match.kind for match in result.matches}
        assert kinds == {"same"}
        assert len(result.clusters) == 1


def test_different_pictures_are_no_repeats(tmp_path, others):
    train = folder_of(others, tmp_path / "train")
    with genmem.duplicates(train, backbone=SPACES) as result:
        assert (result.matches, result.clusters, list(result.deleted)) == ((), (), [])
        assert result.compared > 12


def test_identical_files_are_found_wherever_they_lie(tmp_path, others):
    train = folder_of({**others, "z": others["other-03"]}, tmp_path / "train")
    with genmem.duplicates(train, backbone=SPACES, local=False) as result:
        (match,) = result.matches
        assert match.kind == "identical"
        assert result.deleted == ["z.png"]  # equal in size: the first is kept


def test_against_another_set_training_images_are_deleted_and_it_is_kept(tmp_path, others):
    train = folder_of({**others, "a": scene(0, (320, 240))}, tmp_path / "train")
    test = folder_of({"t": scene(0), "u": scene(900)}, tmp_path / "test")
    with genmem.duplicates(train, against=test, backbone=SPACES, local=False) as result:
        assert result.deleted == ["a.png"]
        (cluster,) = result.clusters
        assert [result.images[row].id for row in cluster.kept] == ["t.png"]


def test_arrays_are_searched_too():
    images = np.stack([np.asarray(scene(seed, (64, 64))) for seed in range(8)])
    images[5] = images[2] // 2
    with genmem.duplicates(images, backbone=SPACES, local=False) as result:
        assert result.deleted == ["000005"]


def test_features_and_regions_of_small_images_are_refused(tmp_path):
    with pytest.raises(UsageError, match="give images, not features"):
        genmem.duplicates(np.zeros((5, 8)))
    small = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    with pytest.raises(UsageError, match="shared regions cannot be looked for"):
        genmem.duplicates(small, local=True, backbone=SPACES)


def image(name, *, role="train", side=10, size=100):
    return ImageFile(id=name, role=role, width=side, height=side, bytes=size)


def match(first, second, kind="same"):
    return Match(first=first, second=second, kind=kind, agreement=1.0)


def test_the_ends_of_a_chain_of_repeats_are_kept_and_parts_join_no_cluster():
    images = {row: image(str(row)) for row in range(6)}
    matches = [match(0, 1), match(1, 2), match(3, 4, "part")]
    (cluster,) = find_clusters(matches, images, rows=6)
    assert (cluster.rows, cluster.kept, cluster.deleted) == ((0, 1, 2), (0, 2), (1,))


def test_identical_files_count_as_one_image():
    images = {row: image(str(row)) for row in range(4)}
    matches = [match(1, 2, "identical"), match(2, 3, "identical"), match(0, 2)]
    (cluster,) = find_clusters(matches, images, rows=4)
    assert (cluster.kept, cluster.deleted) == ((0,), (1, 2, 3))


def test_a_repeat_of_a_deleted_repeat_of_another_set_is_kept():
    images = {0: image("a"), 1: image("b"), 2: image("t", role="against")}
    (cluster,) = find_clusters([match(0, 2), match(0, 1)], images, rows=3)
    assert (cluster.kept, cluster.deleted) == ((1, 2), (0,))


@given(
    st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1])),
    st.lists(st.integers(1, 3), min_size=10, max_size=10),
)
def test_each_deleted_image_matches_a_kept_one_and_no_two_kept_ones_match(pairs, sides):
    images = {row: image(str(row), side=side) for row, side in enumerate(sides)}
    clusters = find_clusters([match(*pair) for pair in sorted(pairs)], images, rows=10)
    kept = {row for cluster in clusters for row in cluster.kept}
    for cluster in clusters:
        assert sorted([*cluster.kept, *cluster.deleted]) == list(cluster.rows)
        for row in cluster.deleted:
            assert any({pair[0], pair[1]} - {row} <= kept for pair in pairs if row in pair)
    assert not any(first in kept and second in kept for first, second in pairs)


def test_kept_is_the_most_pixels_then_the_largest_file_then_the_first():
    images = {0: image("a"), 1: image("b", side=20), 2: image("c", side=20, size=200)}
    matches = [match(0, 1), match(0, 2), match(1, 2)]
    (cluster,) = find_clusters(matches, images, rows=3)
    assert cluster.kept == (2,)
    images[1] = image("b", side=20, size=200)
    (cluster,) = find_clusters(matches, images, rows=3)
    assert cluster.kept == (1,)


def framed(image):
    """A picture in a white frame with a caption, as a stock of photographs has them."""
    page = Image.new("RGB", (240, 200), "white")
    page.paste(image, (40, 20))
    ImageDraw.Draw(page).text((40, 160), "STOCKPHOTO.COM - all rights reserved", fill="black")
    ImageDraw.Draw(page).rectangle((34, 14, 206, 146), outline="black", width=3)
    return page


def test_a_frame_and_a_caption_that_all_images_share_make_no_repeats():
    images = [np.array(framed(scene(seed))) for seed in range(30)]
    images.append(np.array(jpeg(framed(scene(3)), 60)))
    with genmem.duplicates(images, backbone=SPACES) as result:
        pairs = {(match.first, match.second) for match in result.matches}
        assert pairs == {(3, 30)}
        assert any("share a layout" in note for note in result.notes)
