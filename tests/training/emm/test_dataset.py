import io
import shutil
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from genmem.errors import InputError, UsageError
from genmem.images import open_images
from genmem.images.hashing import hash_images
from genmem.training.emm.dataset import inspect_source, load_trial_images

from .factories import TINY, with_training


@pytest.fixture
def second(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), np.uint8)
    np.save(tmp_path / "second.npy", pixels)
    return inspect_source(str(tmp_path / "second.npy"))


def load(source, size, *, second=None, config=TINY, seed=0, drop_duplicates=False):
    return load_trial_images(
        source, second, config, size=size, seed=seed, drop_duplicates=drop_duplicates
    )


def test_smaller_sets_of_a_seed_are_subsets_of_larger_ones(images):
    source = inspect_source(str(images))
    small, large = load(source, 6), load(source, 20)
    assert set(small.ids) < set(large.ids)
    assert set(load(source, 6, seed=1).ids) != set(small.ids)


def test_classes_are_drawn_by_the_seed_and_fewer_are_among_more(images):
    source = inspect_source(str(images))
    assert source.classes == ("a", "b", "c")

    def classes(count, seed):
        config = replace(TINY, classes=count)
        return {one[0] for one in load(source, 7, config=config, seed=seed).ids}

    assert len({frozenset(classes(1, seed)) for seed in range(8)}) > 1
    for seed in range(3):
        assert len(classes(1, seed)) == 1
        assert classes(1, seed) <= classes(2, seed)
    with pytest.raises(InputError, match="expected at least 4 classes"):
        classes(4, 0)


def test_a_study_knows_the_classes_below_a_folder_around_the_whole_set(images, tmp_path):
    (tmp_path / "set").mkdir()
    images.rename(tmp_path / "set" / "train")
    source = inspect_source(str(tmp_path / "set"))
    assert source.classes == ("a", "b", "c")
    two = load(source, 8, config=replace(TINY, classes=2))
    assert len({name.split("/")[1] for name in two.ids}) == 2
    for name in ("b", "c"):
        shutil.rmtree(tmp_path / "set" / "train" / name)
    source = inspect_source(str(tmp_path / "set"))
    with pytest.raises(InputError, match=r"at least 1 classes .* found no classes"):
        load(source, 2, config=replace(TINY, classes=1))


def test_a_share_comes_from_the_second_source_and_classes_are_united(images, second):
    source = inspect_source(str(images))
    config = replace(TINY, second_share=0.25)
    result = load(source, 12, second=second, config=config)
    assert len(result) == 12
    assert sum("/" not in one for one in result.ids) == 3
    with pytest.raises(UsageError, match="expected a second source"):
        load(source, 12, config=config)
    labelled = replace(with_training(labels="true"), second_share=0.5)
    both = load(source, 8, second=replace(source, name="again"), config=labelled)
    assert both.classes == ("a", "b", "c")
    assert both.labels is not None
    for identity, label in zip(both.ids, both.labels, strict=True):
        assert both.classes[label] == identity[0]


def test_what_a_source_holds_and_its_names_decide_its_digest(images):
    before = inspect_source(str(images))
    assert inspect_source(str(images)).digest == before.digest
    (images / "a" / "00.png").rename(images / "b" / "zz.png")
    after = inspect_source(str(images))
    assert (after.count, before.count) == (26, 26)
    assert after.digest != before.digest


def test_labels_that_are_not_in_the_names_decide_the_digest_too(tmp_path):
    pixels = [np.full((4, 4, 3), number, np.uint8) for number in range(3)]
    encoded = []
    for one in pixels:
        file = io.BytesIO()
        Image.fromarray(one).save(file, format="PNG")
        encoded.append(file.getvalue())

    def digest(name, labels):
        columns = {"image": encoded} | ({} if labels is None else {"label": labels})
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        return inspect_source(str(tmp_path / f"{name}.parquet")).digest

    result = [digest("a", ["x", "y", "y"]), digest("b", ["y", "y", "x"]), digest("c", None)]
    assert len(set(result)) == 3
    assert digest("d", ["x", "y", "y"]) == result[0]


def test_the_digest_of_a_folder_is_of_images_and_names_alone(images):
    """Studies that are there go on: their trials are named by it."""
    with open_images(str(images)) as opened:
        hashed = blake2b(hash_images(opened).hexdigest.encode(), digest_size=16)
        for position in range(len(opened)):
            hashed.update(opened.id(position).encode() + b"\0")
    assert inspect_source(str(images)).digest == hashed.hexdigest()


@pytest.fixture
def overlapping(tmp_path):
    """Two arrays of ten images that have six in common, of which the second has one twice."""
    pixels = np.random.default_rng(2).integers(0, 256, (14, 4, 4, 3), np.uint8)
    np.save(tmp_path / "one.npy", pixels[:10])
    np.save(tmp_path / "two.npy", np.concatenate([pixels[4:14], pixels[4:5]]))
    return [inspect_source(str(tmp_path / f"{name}.npy")) for name in ("one", "two")]


def test_images_in_both_sources_are_counted_and_said(overlapping):
    one, two = overlapping
    half = replace(TINY, second_share=0.5)
    result = load(one, 20, second=two, config=half)
    distinct = len({image.tobytes() for image in result.pixels})
    assert result.duplicates == 20 - distinct > 4
    assert any(
        "of two.npy are in one.npy too and are learned more readily" in n for n in result.notes
    )


def test_on_request_no_image_is_taken_from_both_sources(overlapping):
    one, two = overlapping
    both = replace(TINY, second_share=0.4)

    result = load(one, 10, second=two, config=both, drop_duplicates=True)
    assert len({image.tobytes() for image in result.pixels}) == len(result) == len(result.ids) == 10
    assert result.duplicates > 0
    assert any("of two.npy" in note and "left out" in note for note in result.notes)
    with pytest.raises(InputError, match="expected at least"):
        load(one, 15, second=two, config=both, drop_duplicates=True)
