from dataclasses import replace

import numpy as np
import pytest

from genmem.errors import InputError, UsageError
from genmem.training.emm.images import look_at, training_images

from .tiny import TINY, with_training


@pytest.fixture
def second(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), np.uint8)
    np.save(tmp_path / "second.npy", pixels)
    return look_at(str(tmp_path / "second.npy"))


def drawn(source, count, *, second=None, configuration=TINY, seed=0):
    return training_images(
        source, second, configuration, count=count, seed=seed, without_duplicates=False
    )


def test_smaller_sets_of_a_seed_are_subsets_of_larger_ones(images):
    source = look_at(str(images))
    small, large = drawn(source, 6), drawn(source, 20)
    assert set(small.ids) < set(large.ids)
    assert set(drawn(source, 6, seed=1).ids) != set(small.ids)


def test_classes_are_drawn_by_the_seed_and_fewer_are_among_more(images):
    source = look_at(str(images))
    assert source.classes == ("a", "b", "c")

    def classes(count, seed):
        configuration = replace(TINY, classes=count)
        return {one[0] for one in drawn(source, 7, configuration=configuration, seed=seed).ids}

    assert len({frozenset(classes(1, seed)) for seed in range(8)}) > 1
    for seed in range(3):
        assert len(classes(1, seed)) == 1
        assert classes(1, seed) <= classes(2, seed)
    with pytest.raises(InputError, match="expected at least 4 classes"):
        classes(4, 0)


def test_a_share_comes_from_the_second_source_and_classes_are_united(images, second):
    source = look_at(str(images))
    configuration = replace(TINY, second_share=0.25)
    found = drawn(source, 12, second=second, configuration=configuration)
    assert len(found) == 12
    assert sum("/" not in one for one in found.ids) == 3
    with pytest.raises(UsageError, match="expected a second source"):
        drawn(source, 12, configuration=configuration)
    labelled = replace(with_training(labels="true"), second_share=0.5)
    both = drawn(source, 8, second=replace(source, name="again"), configuration=labelled)
    assert both.classes == ("a", "b", "c")
    for identity, label in zip(both.ids, both.labels, strict=True):
        assert both.classes[label] == identity[0]


def test_what_a_source_holds_and_its_names_decide_its_digest(images):
    before = look_at(str(images))
    assert look_at(str(images)).digest == before.digest
    (images / "a" / "00.png").rename(images / "b" / "zz.png")
    after = look_at(str(images))
    assert (after.count, before.count) == (26, 26)
    assert after.digest != before.digest
