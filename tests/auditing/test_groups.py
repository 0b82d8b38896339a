"""Groups of images count once: between them, honest images are accused as rarely as promised."""

import numpy as np
import pytest
from PIL import Image

from genmem.auditing import audit
from genmem.auditing.group_labels import check_groups, find_groups
from genmem.auditing.groups import Groups, honest_units
from genmem.auditing.search import Queries, nearest_over_augmentations
from genmem.calibration.q_values import min_copies_flagged, q_values
from genmem.errors import InputError, UsageError


class Rows:
    """What `find_groups` takes of a set."""

    def __init__(self, ids, array=None):
        self.ids = ids
        self.array = array
        self.source = None


def by_role(**ids):
    return {role: Rows(names) for role, names in ids.items()}


def labels(option, sets):
    return find_groups(option, sets, metric="euclidean").by_role


def test_a_folder_level_groups_images_of_all_sets():
    sets = by_role(
        generated=["g0.png", "g1.png"],
        train=["a/x/0.png", "a/y/1.png", "b/x/2.png"],
        test=["a/x/3.png", "c/4.png"],
    )
    first = labels(1, sets)
    assert first["train"][0] == first["train"][1] == first["test"][0] != first["train"][2]
    assert len(set(np.concatenate(list(first.values())))) == 5  # a, b, c, g0, g1
    second = labels("2", sets)
    assert second["train"][0] == second["test"][0] != second["train"][1]
    with pytest.raises(UsageError, match="no held-out image lies in 3 folders"):
        labels(3, sets)


def test_a_file_groups_images_by_id_and_by_set_where_sets_share_ids(tmp_path):
    sets = by_role(generated=["0", "1"], train=["0", "1"], test=["8", "9"])
    file = tmp_path / "groups.csv"
    file.write_text("id,group\n8,p\n9,p\n")
    assert len(set(labels(file, sets)["test"])) == 1
    file.write_text("id,group\n0,p\n8,p\n")
    with pytest.raises(InputError, match="'0' is an image of generated and of train"):
        labels(str(file), sets)
    file.write_text("set,id,group\ntrain,0,p\ntest,8,p\ntest,9,q\n")
    found = labels(file, sets)
    assert found["train"][0] == found["test"][0] != found["test"][1]
    assert found["generated"][0] not in found["train"]
    for text, message in (("image,group\n", "columns id and group"), ("id,group\nz,p\n", "'8'")):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            labels(file, sets)


@pytest.mark.parametrize(
    "option",
    [
        0,
        "-1",
        "--1",
        "²",
        "nothing.csv",
        True,
        False,
        1.5,
        {},
        {"held": []},
        {"test": "abc"},
        {"test": 5},
    ],
)
def test_an_option_that_means_nothing_is_refused_before_anything_is_read(option):
    with pytest.raises(UsageError, match="groups: expected"):
        check_groups(option)


@pytest.fixture
def folders(tmp_path):
    """Twelve images of each set, three in a folder; the folders of test are in train too."""
    rng = np.random.default_rng(5)
    for role in ("generated", "train", "test"):
        for place in range(12):
            folder = tmp_path / role / f"scene{place // 3}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{place}.png")
    (tmp_path / "ids.csv").write_text("id,group\nz,p\n")
    return tmp_path


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (1, "every held-out image is in a group of training images"),
        ("ids.csv", "expected the ids of test images"),
        ({"test": ["a"]}, "expected 12 labels of test, got 1"),
        ({"train": ["a"] * 12}, "expected labels of test"),
        (3, "no held-out image lies in 3 folders"),
    ],
)
def test_groups_that_do_not_go_with_the_images_are_refused_before_extraction(
    folders, monkeypatch, groups, message
):
    monkeypatch.chdir(folders)
    announced = []
    with pytest.raises((InputError, UsageError), match=message):
        audit(
            generated="generated",
            train="train",
            test="test",
            backbone=["pixels"],
            groups=groups,
            announce=announced.append,
        )
    assert not announced


def test_a_group_too_large_to_be_left_out_is_refused_before_extraction(folders):
    announced = []
    with pytest.raises(InputError, match="Give held-out images"):
        audit(
            generated=folders / "generated",
            train=folders / "train" / "scene0",
            backbone=["pixels"],
            groups={"train": ["a"] * 3},
            announce=announced.append,
        )
    assert not announced


def test_labels_of_broken_images_that_are_left_out_are_left_out_too(folders):
    (folders / "test" / "scene0" / "0.png").write_bytes(b"broken")
    with audit(
        generated=folders / "generated",
        train=folders / "train",
        test=folders / "test",
        backbone=["pixels"],
        groups={"test": ["broken", *"aabbbccdddd"]},
        skip_broken=True,
    ) as result:
        assert len(result.groups.by_role["test"]) == 11
        assert result.groups.count("test") == 4


def test_labels_must_be_as_many_as_images():
    sets = by_role(generated=["0"], train=["0", "1"], test=["8"])
    with pytest.raises(InputError, match="expected 2 labels of train, got 1"):
        labels({"train": ["a"]}, sets)


def scenes(rng, count, frames, dimension=8, spread=0.1):
    """Frames of scenes, one scene after the other, and their scenes."""
    centers = rng.normal(size=(count, dimension))
    rows = np.repeat(centers, frames, axis=0)
    return rows + spread * rng.normal(size=rows.shape), np.repeat(np.arange(count), frames)


def test_near_duplicate_clusters_are_the_scenes_of_held_out_images():
    rng = np.random.default_rng(0)
    train, _ = scenes(rng, 60, 5)
    test, scene = scenes(rng, 30, 5, spread=0.02)
    sets = {name: Rows(range(len(rows)), rows) for name, rows in (("train", train), ("test", test))}
    sets["generated"] = sets["train"]
    found = labels("near-duplicates", sets)["test"]
    same = scene[:, None] == scene
    assert ((found[:, None] == found) == same).mean() > 0.99


def test_each_held_out_group_counts_once_by_its_closest_image():
    groups = Groups(
        rule="",
        by_role={
            "test": np.array([7, 7, 5, 9]),
            "train": np.array([9, 1]),
            "generated": np.array([0]),
        },
    )
    units = honest_units(duplicates=np.zeros(4, bool), biased=False, groups=groups, train_rows=None)
    assert sorted(units.reduce(np.array([0.3, 0.2, 0.5, 0.1]))) == [0.2, 0.5]
    assert (units.shared, units.images) == (1, 3)
    with pytest.raises(InputError, match="every held-out image is in a group of training images"):
        honest_units(
            duplicates=np.zeros(4, bool),
            biased=False,
            groups=Groups(rule="", by_role=groups.by_role | {"train": groups.by_role["test"]}),
            train_rows=None,
        )


def test_no_image_of_a_training_images_own_group_is_its_neighbor():
    rng = np.random.default_rng(1)
    train, group = scenes(rng, 6, 4)
    train = train.astype(np.float32)
    rows = np.arange(len(train))
    found = nearest_over_augmentations(
        {"q": Queries(array=train, train_rows=rows, train_groups=group)},
        [iter([train]), iter([train[:, ::-1].copy()])],
        train_rows=rows,
        k=3,
        metric="euclidean",
    )["q"]
    for row in rows:
        others = rows[group != group[row]]
        distances = [
            min(np.linalg.norm(train[row] - train[o]), np.linalg.norm(train[row] - train[o][::-1]))
            for o in others
        ]
        assert found.distances[row] == pytest.approx(np.sort(distances)[:3], rel=1e-4)
        assert (group[found.train[row]] != group[row]).all()


def flagged_sets(groups, draws=40):
    """Honest sets of bursts with a flag, and those whose share of copies excludes 0."""
    flagged = excluded = 0
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        sets = {role: scenes(rng, 12, 25) for role in ("train", "test", "generated")}
        given = None
        if groups:
            given = {role: [f"{role} {one}" for one in scene] for role, (_, scene) in sets.items()}
        found = audit(**{role: rows for role, (rows, _) in sets.items()}, groups=given)
        flagged += found.flagged.any()
        excluded += found.copied_fraction.interval.low > 0
    return flagged, excluded


def test_honest_bursts_are_accused_without_groups_and_not_with_them():
    flagged, excluded = flagged_sets(groups=False)
    assert flagged + excluded >= 8
    flagged, excluded = flagged_sets(groups=True)
    assert flagged <= 2
    assert excluded <= 2


def test_copies_of_many_groups_are_flagged_and_the_notes_count_groups():
    rng = np.random.default_rng(3)
    train, _ = scenes(rng, 100, 2)
    test, scene = scenes(rng, 100, 2)
    generated = np.concatenate([train[:60], scenes(rng, 60, 1)[0]])
    found = audit(
        generated=generated,
        train=train,
        test=test,
        groups={"test": scene, "train": ["3"] * 2 + [f"t{n}" for n in range(198)]},
    )
    assert found.flagged[:60].all()
    assert found.flagged[60:].sum() <= 5
    assert len(found.spaces[0].null.statistic) == 99
    assert found.spaces[0].null.shared == 2
    assert any("198 held-out images in 99 groups" in note for note in found.notes)
    assert any("2 held-out images left out of the null" in note for note in found.notes)
    assert found.to_dict()["groups"] == {
        "rule": "the given labels",
        "generated": 120,
        "train": 199,
        "test": 100,
    }


def test_without_held_out_images_whole_groups_are_left_out():
    rng = np.random.default_rng(4)
    train, scene = scenes(rng, 80, 5, spread=0.01)
    found = audit(generated=train[:50], train=train, groups={"train": scene})
    assert len(found.spaces[0].null.statistic) == 80
    assert found.spaces[0].null.images == 400
    assert found.flagged.all()
    with pytest.raises(InputError, match="Give held-out images"):
        audit(generated=train[:50], train=train, groups={"train": [0] * 400})


def test_groups_of_folders_are_read_from_images(tmp_path):
    rng = np.random.default_rng(5)
    for role in ("train", "test"):
        for place in range(12):
            folder = tmp_path / role / f"{role}{place // 3}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{place}.png")
    with audit(
        generated=tmp_path / "train",
        train=tmp_path / "train",
        test=tmp_path / "test",
        backbone=["pixels"],
        groups=1,
    ) as found:
        assert len(found.spaces[0].null.statistic) == 4
        assert found.groups.rule == "the first folder"


def test_an_image_group_closer_than_all_counts_once_in_the_exact_test():
    p = np.array([1e-6] * 5 + [0.5] * 495)
    honest = np.linspace(1, 500, 500) / 501
    assert (q_values(p, honest)[:5] <= 0.05).all()
    groups = np.concatenate([np.zeros(5, int), np.arange(495) // 5 + 1])
    assert not (q_values(p, honest, groups=groups) <= 0.05).any()
    fewest = [
        min_copies_flagged(1e-6, honest, images=500, level=0.05, groups=count)
        for count in (None, 500, 100)
    ]
    assert fewest[0] == fewest[1] > fewest[2]


def test_a_group_whose_second_image_is_a_copy_counts_in_the_copied_fraction():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(2, 400, 32)).astype(np.float32)
    generated = rng.normal(size=(300, 32)).astype(np.float32)
    generated[1::10] = train[:30] + 0.005 * rng.normal(size=(30, 32)).astype(np.float32)
    groups = {
        "generated": np.repeat([f"g{n}" for n in range(30)], 10),
        "train": [f"a{n}" for n in range(400)],
        "test": [f"t{n}" for n in range(400)],
    }
    result = audit(generated=generated, train=train, test=test, groups=groups)
    assert result.copied_fraction.value > 0.9
    assert "30 groups of generated images" in " ".join(result.copied_fraction.notes)
