"""The folder of a reference: what it holds, and what is refused of damaged and hostile ones."""

import json
import os

import numpy as np
import pytest

from genmem import build_reference, open_reference
from genmem.errors import InputError, UsageError
from genmem.neighbors import nearest
from genmem.reference.verify import verify_reference


def change_manifest(reference, change):
    """Write the manifest again after `change` changed its document."""
    path = reference.folder / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_it_holds_ids_classes_hashes_and_pictures_of_images(tmp_path, images):
    reference = build_reference(
        train=images["train"], out=tmp_path / "train.genmem", backbone="pixels@8", licence="CC0"
    )
    manifest = reference.manifest
    assert (len(reference), manifest.train.classes, manifest.licence) == (60, 2, "CC0")
    ids = reference.ids("train")
    assert ids[0] == "a/0000.png"
    assert ids.classes[:1] == ["a"]
    hashes, picture = reference.hashes("train"), reference.thumbnail("train", 59)
    assert hashes is not None
    assert hashes.shape == (60, 16)
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert manifest.spaces[0].sizes["repeats"] == 1
    assert manifest.spaces[0].sizes["pairs"] == 2


def test_near_duplicates_are_pairs_of_rows(reference):
    assert reference.space().array("near_duplicates").tolist() == [[30, 31]]
    assert reference.space().array("repeats").tolist() == [31]


def test_leave_one_out_distances_are_those_of_a_search(reference, features):
    train = features["train"]
    search = nearest(train, train, k=5, metric="euclidean", exclude_self=True)
    np.testing.assert_array_equal(reference.space().euclidean.distances, search.distances)
    np.testing.assert_array_equal(reference.space().euclidean.indices, search.indices)


def test_several_shards_are_one_array(tmp_path, features, monkeypatch):
    monkeypatch.setattr("genmem.reference.contents.SHARD_ROWS", 30)
    reference = build_reference(train=features["train"], out=tmp_path / "train.genmem")
    assert reference.manifest.train.shards == (30, 30, 30, 10)
    np.testing.assert_array_equal(reference.space().features("train"), features["train"])
    assert len(reference.ids("train")[:]) == 100


def test_an_unchanged_reference_is_verified(reference):
    assert verify_reference(reference.folder).manifest == reference.manifest


def test_a_changed_byte_is_named(reference):
    path = reference.folder / "features" / "train-features-00000.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"train-features-00000\.npy: expected SHA-256"):
        verify_reference(reference.folder)


@pytest.mark.parametrize("name", ["train-ids-00000.parquet", "features/scatter.npy"])
def test_a_missing_or_shortened_file_is_refused_at_once(reference, name):
    path = reference.folder / name
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match="is damaged"):
        open_reference(reference.folder)
    path.unlink()
    with pytest.raises(InputError, match="not complete"):
        open_reference(reference.folder)


def test_a_newer_format_is_refused(reference):
    change_manifest(reference, lambda document: document.update(version=2))
    with pytest.raises(InputError, match="Update genmem"):
        open_reference(reference.folder)


def outside(document):
    document["spaces"][0]["folder"] = "../elsewhere"


def extra_file(document):
    document["files"]["../../etc/passwd"] = {"bytes": 1, "sha256": "0" * 64}


def other_dimension(document):
    document["spaces"][0]["dimension"] = 13


def more_rows(document):
    document["sets"]["train"]["count"] = 101


def not_a_number(document):
    document["sets"]["train"]["shards"] = ["many"]


def no_train(document):
    del document["sets"]["train"]


@pytest.mark.parametrize(
    "change", [outside, extra_file, more_rows, not_a_number, no_train], ids=lambda f: f.__name__
)
def test_a_hostile_manifest_is_refused_in_one_line(reference, change):
    change_manifest(reference, change)
    with pytest.raises(InputError, match=r"manifest\.json: ") as caught:
        open_reference(reference.folder)
    assert "\n" not in str(caught.value)


def test_an_array_of_another_shape_than_the_manifest_says_is_refused(reference):
    change_manifest(reference, other_dimension)
    with pytest.raises(InputError, match=r"expected float32 \[100, 13\]"):
        open_reference(reference.folder).space().features("train")


def test_pickled_arrays_are_never_loaded(reference):
    path = reference.folder / "features" / "mean.npy"
    np.save(path, np.array([print] * 12, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"mean\.npy: expected float64"):
        reference.space().array("mean")


def test_an_earlier_reference_is_replaced_and_other_folders_are_not(tmp_path, features):
    out = tmp_path / "train.genmem"
    build_reference(train=features["train"], out=out)
    build_reference(train=features["train"][:50], out=out)
    assert len(open_reference(out)) == 50
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="an earlier reference"):
        build_reference(train=features["train"], out=tmp_path / "photos")
    assert (tmp_path / "photos" / "a.txt").read_text(encoding="utf-8") == "mine"


def test_a_failed_build_leaves_nothing(tmp_path, features):
    rows = np.ones((5, 3), np.float32)
    with pytest.raises(InputError, match="two different training images"):
        build_reference(train=rows, out=tmp_path / "train.genmem")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_a_folder_of_images_is_no_reference(images):
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read"):
        open_reference(images["train"])
