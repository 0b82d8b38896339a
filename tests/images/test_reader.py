import itertools
import threading
import time

import numpy as np
import pytest

from genmem.errors import InputError
from genmem.images import open_images, read_batches


def whole(pixels):
    return pixels


@pytest.fixture
def many(encoded):
    """100 PNGs of which each pixel is the image's number."""
    return {f"{i:03d}.png": encoded(np.full((4, 4, 3), i, np.uint8)) for i in range(100)}


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("genmem")]


@pytest.mark.parametrize("workers", [1, 2, 7, None])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 100, 1000])
def test_batches_are_the_images_in_order(batch_size, workers, many, build_folder):
    source = open_images(build_folder(many))
    batches = list(read_batches(source, transform=whole, batch_size=batch_size, workers=workers))
    sizes = [min(batch_size, 100 - begin) for begin in range(0, 100, batch_size)]
    assert [len(batch.array) for batch in batches] == sizes
    positions = np.concatenate([batch.positions for batch in batches])
    images = np.concatenate([batch.array for batch in batches])
    assert np.array_equal(positions, np.arange(100))
    assert positions.dtype == np.int64
    assert images.shape == (100, 4, 4, 3)
    assert np.array_equal(images[:, 0, 0, 0], np.arange(100))
    assert not our_threads()


def test_reading_may_begin_anywhere(many, build_folder):
    source = open_images(build_folder(many))
    batches = list(read_batches(source, transform=whole, batch_size=32, start=50))
    assert [batch.positions.tolist() for batch in batches] == [
        list(range(50, 82)),
        list(range(82, 100)),
    ]
    assert list(read_batches(source, transform=whole, batch_size=32, start=100)) == []


def test_the_transform_makes_the_rows(many, build_folder):
    source = open_images(build_folder(many))
    batches = read_batches(
        source, transform=lambda pixels: pixels.mean(dtype=np.float32), batch_size=64
    )
    rows = np.concatenate([batch.array for batch in batches])
    assert rows.dtype == np.float32
    assert np.array_equal(rows, np.arange(100))


def test_a_truncated_image_is_named_with_the_way_on(many, build_folder):
    many["042.png"] = many["042.png"][:-30]
    source = open_images(build_folder(many))
    batches = read_batches(source, transform=whole, batch_size=16)
    with pytest.raises(InputError, match=r"042\.png in .*: cannot be decoded: .*--skip-broken"):
        list(batches)
    assert not our_threads()


def test_broken_images_are_left_out_and_reported_when_asked(many, build_folder):
    for name in ("000.png", "042.png", "043.png"):
        many[name] = many[name][:-30]
    many["042a.tsv"] = b"a text file among images"
    for position in range(60, 70):
        many[f"{position:03d}.png"] = b""
    source = open_images(build_folder(many))
    ids = [source.id(i) for i in range(len(source))]
    batches = list(read_batches(source, transform=whole, batch_size=5, skip_broken=True))
    broken = [item for batch in batches for item in batch.broken]
    names = ["000.png", "042.png", "042a.tsv", "043.png"]
    names += [f"{position:03d}.png" for position in range(60, 70)]
    assert [ids[position] for position, _ in broken] == names
    assert {reason.partition(":")[0] for _, reason in broken} == {
        "cannot be decoded",
        "not an image, by its suffix",
    }
    positions = np.concatenate([batch.positions for batch in batches])
    assert [ids[i] for i in positions] == [name for name in ids if name not in names]
    assert [len(batch.array) for batch in batches if not len(batch.positions)] == [0]
    rows = np.concatenate([batch.array for batch in batches if len(batch.positions)])
    assert [f"{row:03d}.png" for row in rows[:, 0, 0, 0]] == [ids[i] for i in positions]


def test_a_text_file_among_images_is_refused_before_anything_is_read(many, build_folder, build_zip):
    many |= {"labels.csv": b"", "readme.md": b"", "z.xml": b""}
    for path in (build_folder(many), build_zip(many)):
        with open_images(path) as source:
            message = (
                r"labels\.csv in .*: expected only images, .*this file and 2 more.*--skip-broken"
            )
            with pytest.raises(InputError, match=message):
                read_batches(source, transform=whole, batch_size=5)


def test_images_of_mixed_sizes_are_refused_where_the_transform_keeps_sizes(encoded, build_folder):
    files = {f"{i:03d}.png": encoded(np.zeros((4, 4, 3), np.uint8)) for i in range(40)}
    for odd in ("003.png", "039.png"):
        source = open_images(
            build_folder(files | {odd: encoded(np.zeros((5, 4, 3), np.uint8))}, odd)
        )
        message = rf"{odd} in .*: expected shape \[4, 4, 3\] .* as for 0\d\d\.png, got \[5, 4, 3\]"
        with pytest.raises(InputError, match=message):
            list(read_batches(source, transform=whole, batch_size=8))
        resized = read_batches(source, transform=lambda pixels: pixels[:4, :4], batch_size=8)
        assert sum(len(batch.array) for batch in resized) == 40


def test_what_the_transform_raises_is_raised_as_it_is(many, build_folder):
    def failing(pixels):
        raise ZeroDivisionError("mine")

    source = open_images(build_folder(many))
    with pytest.raises(ZeroDivisionError, match="mine"):
        list(read_batches(source, transform=failing, batch_size=8, skip_broken=True))
    assert not our_threads()


def test_a_reader_closed_early_ends_its_threads(many, build_folder):
    batches = read_batches(open_images(build_folder(many)), transform=whole, batch_size=4)
    next(batches)
    assert our_threads()
    batches.close()
    assert not our_threads()


def test_decoding_runs_ahead_of_the_consumer_but_not_far(many, build_folder):
    read = itertools.count()
    seen = []

    def counting(pixels):
        seen.append(next(read))
        return pixels

    source = open_images(build_folder(many))
    batches = read_batches(source, transform=counting, batch_size=8, workers=1)
    next(batches)
    deadline = time.monotonic() + 5
    while len(seen) < 16 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 16 <= len(seen) <= 32
    batches.close()


def test_an_array_is_read_like_any_source(pixels):
    (batch,) = read_batches(open_images(pixels), transform=whole, batch_size=100)
    assert np.array_equal(batch.array, pixels)
