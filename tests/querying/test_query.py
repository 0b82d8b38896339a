"""A few images against a reference: exact neighbors, which side is which, and plain words."""

import json

import numpy as np
import pytest
from PIL import Image

from genmem import build_reference, query
from genmem.errors import InputError, UsageError
from genmem.features import extract, load_backbone
from genmem.images import open_images

SPACES = ("pixels@8", "pixels@6")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENMEM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def smooth(rng, count, side=64):
    """Random pictures with structure at many scales, uint8 [count, side, side, 3]."""
    coarse = rng.integers(0, 256, (count, side // 4, side // 4, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((side, side), Image.BICUBIC)) for one in coarse]
    )


def save(folder, pixels):
    folder.mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Folders of train, test, and of queries: a new image, a copy, and a recompressed copy."""
    tmp_path = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    train = save(tmp_path / "train", smooth(rng, 60))
    test = save(tmp_path / "test", smooth(rng, 30))
    asked = save(tmp_path / "asked", smooth(rng, 1))
    (asked / "copy.png").write_bytes((train / "007.png").read_bytes())
    Image.open(train / "009.png").save(asked / "recompressed.jpg", quality=80)
    return {"train": train, "test": test, "asked": asked}


@pytest.fixture(scope="module")
def reference(sets, own_cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("reference") / "r.genmem"
    return build_reference(train=sets["train"], test=sets["test"], out=out, backbone=SPACES)


def features(folder, backbone):
    with open_images(folder) as source:
        return np.array(extract(source, extractor=load_backbone(backbone)).array, np.float64)


def euclidean(first, second):
    return np.sqrt(((first[:, None] - second[None]) ** 2).sum(axis=2))


def test_neighbors_and_their_evidence_are_those_of_brute_force(sets, reference):
    result = query(sets["asked"], train=reference, neighbors=4)
    assert [image.id for image in result.images] == ["000.png", "copy.png", "recompressed.jpg"]
    for place, backbone in enumerate(SPACES):
        train, asked = features(sets["train"], backbone), features(sets["asked"], backbone)
        null = euclidean(features(sets["test"], backbone), train).min(axis=1)
        distances = euclidean(asked, train)
        for image, row in zip(result.images, distances, strict=True):
            space = image.spaces[place]
            assert (space.space, space.metric, space.held_out) == (backbone, "euclidean", 30)
            order = np.argsort(row, kind="stable")[:4]
            assert [one.row for one in space.neighbors] == order.tolist()
            assert [one.train_id for one in space.neighbors] == [f"{one:03d}.png" for one in order]
            np.testing.assert_allclose(
                [one.distance for one in space.neighbors], row[order], rtol=1e-6, atol=1e-6
            )
            assert [one.closer for one in space.neighbors] == [
                (null <= one.distance).sum() for one in space.neighbors
            ]


def test_copies_are_named_and_a_new_image_is_not_accused(sets, reference):
    new, copy, recompressed = query(sets["asked"], train=reference).images
    assert copy.identical == ("007.png",)
    assert copy.spaces[0].neighbors[0].kind == "identical"
    assert recompressed.identical == ()
    assert recompressed.spaces[0].neighbors[0].kind == "same"
    assert recompressed.spaces[0].neighbors[0].train_id == "009.png"
    assert new.identical == ()
    assert {one.kind for space in new.spaces for one in space.neighbors} == {"other"}


def test_the_order_of_the_files_is_the_order_of_the_images(sets, reference):
    paths = [sets["asked"] / name for name in ("recompressed.jpg", "000.png")]
    result = query(paths, train=reference.folder, backbone=["pixels@8"], neighbors=1)
    assert [image.id for image in result.images] == [str(path) for path in paths]
    assert [len(image.spaces) for image in result.images] == [1, 1]
    folder = query(sets["asked"], train=reference, backbone=["pixels@8"], neighbors=1)
    assert result.images[0].spaces == folder.images[2].spaces
    assert result.images[1].spaces == folder.images[0].spaces


def test_one_file_and_pixels_in_memory_can_be_asked(sets, reference):
    path = sets["asked"] / "copy.png"
    from_file = query(path, train=reference).images[0]
    in_memory = query(np.asarray(Image.open(path))[None], train=reference).images[0]
    assert from_file.identical == ("007.png",)
    assert in_memory.identical == ()  # other bytes, though the pixels are the same
    assert in_memory.spaces[0].neighbors[0].kind == "same"
    assert in_memory.spaces[0].neighbors[0].distance == 0


def test_without_held_out_images_closeness_is_not_judged(sets, tmp_path):
    reference = build_reference(train=sets["train"], out=tmp_path / "r.genmem", backbone="pixels@8")
    result = query(sets["asked"], train=reference)
    space = result.images[0].spaces[0]
    assert space.held_out is None
    assert {one.closer for one in space.neighbors} == {None}
    assert any("cannot be judged" in note for note in result.notes)


def test_held_out_images_of_another_kind_are_no_yardstick(sets, tmp_path):
    test = tmp_path / "test"
    test.mkdir()
    for path in sets["test"].iterdir():
        Image.open(path).resize((32, 32)).save(test / path.name)
    reference = build_reference(
        train=sets["train"], test=test, out=tmp_path / "r.genmem", backbone="pixels@8"
    )
    result = query(sets["asked"], train=reference)
    assert result.images[0].spaces[0].held_out is None
    assert any("no yardstick" in note for note in result.notes)


def test_without_thumbnails_similar_images_are_not_called_the_same(sets, tmp_path):
    reference = build_reference(
        train=sets["train"], out=tmp_path / "r.genmem", backbone="pixels@8", images=False
    )
    result = query(sets["asked"], train=reference)
    recompressed = result.images[2].spaces[0].neighbors[0]
    assert (recompressed.kind, recompressed.picture) == ("similar", None)
    assert any("--no-images" in note for note in result.notes)


def test_the_result_is_plain_json(sets, reference):
    document = json.loads(json.dumps(query(sets["asked"], train=reference).to_dict()))
    assert document["images"][1]["identical"] == ["007.png"]
    assert document["images"][1]["spaces"][0]["neighbors"][0]["closer"] == 0


def test_more_neighbors_than_training_images_are_all_of_them(sets, reference):
    result = query(sets["asked"], train=reference, neighbors=100)
    assert len(result.images[0].spaces[0].neighbors) == 60


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": "none.png"}, InputError, "there is no such file"),
        ({"images": ["none.png", "no.png"]}, UsageError, "there is no such file"),
        ({"images": np.zeros((1001, 8, 8, 3), np.uint8)}, InputError, "at most 1,000; got 1,001"),
        ({"neighbors": 0}, UsageError, "expected at least 1"),
        ({"backbone": ["sscd"]}, UsageError, "has no features of sscd"),
        ({"train": "train"}, UsageError, "expected a reference, got train"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(sets, reference, arguments, error, message):
    with pytest.raises(error, match=message):
        query(**{"images": sets["asked"], "train": reference, **arguments})


def test_a_reference_of_features_takes_no_images(sets, tmp_path):
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    reference = build_reference(train=rows, out=tmp_path / "r.genmem")
    with pytest.raises(InputError, match="was made of features"):
        query(sets["asked"], train=reference)
