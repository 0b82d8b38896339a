import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.images import open_images
from genmem.images.filenames import IMAGE_SUFFIXES, PackedNames


@given(st.lists(st.binary(max_size=12)))
def test_packed_names_are_the_sorted_names(names):
    packed = PackedNames(names)
    assert [packed[i] for i in range(len(packed))] == sorted(names)
    assert [names[i] for i in packed.order] == sorted(names)
    assert (packed.first_duplicate() is None) == (len(set(names)) == len(names))


@given(st.lists(st.text(max_size=8)))
def test_their_order_is_that_of_text(names):
    encoded = [name.encode("utf-8", "replace") for name in names]
    packed = PackedNames(encoded)
    assert [packed[i] for i in range(len(packed))] == [
        name.encode() for name in sorted(name.decode() for name in encoded)
    ]


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES.split())
def test_images_are_told_by_their_suffix_in_any_case(suffix):
    names = [f"a.{suffix}", f"b.{suffix.upper()}", f"c.{suffix}.csv", f"d{suffix}"]
    assert PackedNames(map(str.encode, names)).images.tolist() == [True, True, False, False]


def test_bytes_that_are_no_text_are_names_too():
    names = PackedNames([b"\xff.csv", b"\xff\xfe.png"])
    assert [names[0], names[1]] == [b"\xff.csv", b"\xff\xfe.png"]
    assert names.images.tolist() == [False, True]


def test_many_files_do_not_become_many_objects(tmp_path):
    count = 10_000
    for number in range(count):
        (tmp_path / f"{number}.png").touch()
    gc.collect()
    before = len(gc.get_objects())
    tracemalloc.start()
    try:
        source = open_images(tmp_path)
        held, peak = tracemalloc.get_traced_memory()
        blocks = sum(trace.count for trace in tracemalloc.take_snapshot().statistics("filename"))
    finally:
        tracemalloc.stop()
    gc.collect()
    assert len(source) == count
    assert len(gc.get_objects()) - before < 500
    assert blocks < 2_000
    assert held < 32 * count
    assert peak < 64 * count
