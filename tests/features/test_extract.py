import json
import subprocess
import sys
import threading
from contextlib import nullcontext

import numpy as np
import pytest

import genmem.features as features
from genmem.errors import InputError, UsageError
from genmem.images import open_images


class CountingExtractor:
    """An extractor that notes how many images it was given, and can fail after some."""

    def __init__(self, extractor, fail_after=None):
        self.backbone = extractor.backbone
        self.weights_hash = extractor.weights_hash
        self.engine = extractor.engine
        self.batch_size = 2
        self.transform = extractor.transform
        self.describe = extractor.describe
        self._extractor = extractor
        self.seen = 0
        self.fail_after = fail_after

    def run(self, batch):
        if self.fail_after is not None and self.seen >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += len(batch)
        return self._extractor.run(batch)


class WithLogits(CountingExtractor):
    """One that gives logits too."""

    def run(self, batch):
        rows, _ = super().run(batch)
        return rows, rows[:, :7].copy()


def entry_folder(cache):
    (folder,) = [path for path in (cache / "features").iterdir() if path.is_dir()]
    return folder


def test_pixels_are_the_values_row_by_row(noise, noise_source, pixels):
    result = features.extract(noise_source, extractor=pixels, cache=None)
    assert result.array.dtype == np.float32
    assert np.array_equal(result.array, noise.reshape(12, -1))
    assert list(result.positions) == list(range(12))
    assert result.logits is None
    assert not result.from_cache


def test_the_second_run_reads_the_cache_and_maps_it(noise, noise_source, pixels, tmp_path):
    first = features.extract(noise_source, extractor=pixels, cache=tmp_path)
    second_extractor = CountingExtractor(pixels)
    second = features.extract(open_images(noise), extractor=second_extractor, cache=tmp_path)
    assert (first.from_cache, second.from_cache, second_extractor.seen) == (False, True, 0)
    assert isinstance(second.array, np.memmap)
    assert np.array_equal(first.array, second.array)
    assert first.digest == second.digest
    assert sorted(path.name for path in entry_folder(tmp_path).iterdir()) == [
        "entry.json",
        "features.npy",
    ]


def test_other_images_of_the_same_name_and_count_are_not_mistaken(noise, pixels, tmp_path):
    features.extract(open_images(noise), extractor=pixels, cache=tmp_path)
    changed = noise.copy()
    changed[3, 0, 0, 0] ^= 1
    result = features.extract(open_images(changed), extractor=pixels, cache=tmp_path)
    assert not result.from_cache
    assert np.array_equal(result.array, changed.reshape(12, -1))


def test_ids_come_from_the_source(folder_with_one_broken, pixels):
    with open_images(folder_with_one_broken) as source:
        result = features.extract(source, extractor=pixels, cache=None, skip_broken=True)
        assert list(result.ids) == ["0.png", "1.png", "3.png", "4.png"]
        assert result.ids[-1] == "4.png"
        assert list(result.ids[1:3]) == ["1.png", "3.png"]
    assert result.skipped == ("2.png",)
    assert list(result.positions) == [0, 1, 3, 4]
    assert len(result.array) == 4


def test_a_broken_image_stops_the_run_and_is_named(folder_with_one_broken, pixels, tmp_path):
    cache = tmp_path / "cache"
    with (
        open_images(folder_with_one_broken) as source,
        pytest.raises(InputError, match=r"2\.png.*--skip-broken"),
    ):
        features.extract(source, extractor=pixels, cache=cache)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_an_entry_made_with_skipping_does_not_hide_the_error(
    folder_with_one_broken, pixels, tmp_path, batch_size
):
    cache = tmp_path / "cache"
    with open_images(folder_with_one_broken) as source:
        for _ in range(2):
            result = features.extract(
                source, extractor=pixels, cache=cache, skip_broken=True, batch_size=batch_size
            )
            assert result.skipped == ("2.png",)
        with pytest.raises(InputError, match=r"2\.png.*--skip-broken"):
            features.extract(source, extractor=pixels, cache=cache)


def test_an_interrupted_run_that_skipped_does_not_hide_the_error(
    folder_with_one_broken, pixels, tmp_path
):
    cache = tmp_path / "cache"
    with open_images(folder_with_one_broken) as source:
        with pytest.raises(KeyboardInterrupt):
            features.extract(
                source,
                extractor=CountingExtractor(pixels, fail_after=3),
                cache=cache,
                skip_broken=True,
            )
        second_extractor = CountingExtractor(pixels)
        with pytest.raises(InputError, match=r"2\.png in .*: cannot be decoded.*--skip-broken"):
            features.extract(source, extractor=second_extractor, cache=cache)
    assert second_extractor.seen == 0


def test_a_cached_entry_does_not_say_where_the_images_were(
    folder_with_one_broken, pixels, tmp_path
):
    cache = tmp_path / "cache"
    with open_images(folder_with_one_broken) as source:
        features.extract(source, extractor=pixels, cache=cache, skip_broken=True)
    state_file = (entry_folder(cache) / "entry.json").read_text()
    assert "cannot be decoded" in state_file
    assert "2.png" not in state_file
    assert str(tmp_path) not in state_file
    moved = folder_with_one_broken.rename(tmp_path / "moved")
    with (
        open_images(moved) as source,
        pytest.raises(InputError, match=r"2\.png in .*/moved: cannot be decoded"),
    ):
        features.extract(source, extractor=pixels, cache=cache)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {"rows": "12"},
        {"rows": None},
        {"rows": -1},
        {"rows": True},
        {"widths": [1.5]},
        {"widths": []},
        {"widths": 1440},
        {"checksums": [7]},
        {"widths": [1440, "3"]},
        {"widths": [1440, 3]},
        {"shape": 5},
        {"shape": ["a"]},
        {"done": None},
        {"next_position": 10**9},
        {"broken": [[99, "far out"]]},
        {"broken": [["a", 1]]},
        {"broken": 4},
        {"extra": 1},
    ],
)
def test_a_state_with_wrong_values_is_computed_again(
    change, finished, noise_source, noise, pixels, tmp_path
):
    first = CountingExtractor(pixels, fail_after=None if finished else 6)
    with nullcontext() if finished else pytest.raises(KeyboardInterrupt):
        features.extract(noise_source, extractor=first, cache=tmp_path)
    state_file = entry_folder(tmp_path) / "entry.json"
    state_file.write_text(json.dumps(json.loads(state_file.read_text()) | change))
    second_extractor = CountingExtractor(pixels)
    result = features.extract(noise_source, extractor=second_extractor, cache=tmp_path)
    assert second_extractor.seen == 12
    assert np.array_equal(result.array, noise.reshape(12, -1))


def test_an_empty_text_is_no_cache_folder(pixels, noise_source):
    with pytest.raises(UsageError, match="cache: expected a value, got an empty text"):
        features.extract(noise_source, extractor=pixels, cache="")


def test_a_path_is_opened_and_closed_again(pixels, folder_with_one_broken):
    given = features.extract(str(folder_with_one_broken), extractor=pixels, skip_broken=True)
    assert len(given.ids) == len(given.array)
    with pytest.raises(InputError, match="cannot be"):
        features.extract(folder_with_one_broken, extractor=pixels)


def test_features_name_their_backbone(noise_source, pixels):
    result = features.extract(noise_source, extractor=pixels, cache=None)
    assert result.backbone is not None
    assert result.backbone["name"] == "pixels"


def test_a_source_with_no_image_that_can_be_read_is_an_error(tmp_path, pixels):
    (tmp_path / "a.png").write_bytes(b"no")
    with open_images(tmp_path) as source, pytest.raises(InputError, match=r"a\.png"):
        features.extract(source, extractor=pixels, cache=tmp_path / "c", skip_broken=True)


@pytest.mark.parametrize("where", ["memory", "cache"])
def test_pixels_refuse_mixed_sizes_and_name_the_first_other(noise, pixels, tmp_path, where):
    images = [*noise[:5], noise[5][:10], noise[6]]
    with (
        open_images(images) as source,
        pytest.raises(InputError, match=r"000005.*\[10, 24, 3\]"),
    ):
        features.extract(
            source,
            extractor=pixels,
            cache=None if where == "memory" else tmp_path,
            batch_size=2,
        )


def test_mixed_sizes_are_fine_where_the_backbone_resizes(noise, lite0):
    images = [noise[0], noise[1][:10]]
    with open_images(images) as source:
        result = features.extract(source, extractor=lite0, cache=None)
    assert result.array.shape == (2, 1280)


def test_an_interrupted_run_resumes_where_it_stopped(noise_source, noise, pixels, tmp_path):
    stopped = CountingExtractor(pixels, fail_after=6)
    with pytest.raises(KeyboardInterrupt):
        features.extract(noise_source, extractor=stopped, cache=tmp_path)
    resumed = CountingExtractor(pixels)
    result = features.extract(noise_source, extractor=resumed, cache=tmp_path)
    assert (stopped.seen, resumed.seen) == (6, 6)
    assert np.array_equal(result.array, noise.reshape(12, -1))


def test_a_resumed_run_remembers_what_was_broken(folder_with_one_broken, pixels, tmp_path):
    cache = tmp_path / "cache"
    with open_images(folder_with_one_broken) as source:
        stopped = CountingExtractor(pixels, fail_after=3)
        with pytest.raises(KeyboardInterrupt):
            features.extract(source, extractor=stopped, cache=cache, skip_broken=True)
        result = features.extract(source, extractor=pixels, cache=cache, skip_broken=True)
    assert result.skipped == ("2.png",)
    assert len(result.array) == 4


@pytest.mark.parametrize(
    "damage", ["truncate", "flip", "no state", "nonsense state", "extra bytes"]
)
def test_a_damaged_partial_run_starts_over(noise_source, noise, pixels, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        features.extract(
            noise_source, extractor=CountingExtractor(pixels, fail_after=6), cache=tmp_path
        )
    _damage(entry_folder(tmp_path), damage)
    resumed = CountingExtractor(pixels)
    result = features.extract(noise_source, extractor=resumed, cache=tmp_path)
    assert resumed.seen == (6 if damage == "extra bytes" else 12)
    assert np.array_equal(result.array, noise.reshape(12, -1))


@pytest.mark.parametrize(
    "damage", ["truncate", "flip", "no state", "nonsense state", "extra bytes"]
)
def test_a_damaged_entry_is_computed_again(noise_source, noise, pixels, tmp_path, damage):
    features.extract(noise_source, extractor=pixels, cache=tmp_path)
    _damage(entry_folder(tmp_path), damage)
    second_extractor = CountingExtractor(pixels)
    result = features.extract(noise_source, extractor=second_extractor, cache=tmp_path)
    assert (result.from_cache, second_extractor.seen) == (False, 12)
    assert np.array_equal(result.array, noise.reshape(12, -1))
    assert features.extract(noise_source, extractor=pixels, cache=tmp_path).from_cache


def _damage(folder, damage):
    rows, state_file = folder / "features.npy", folder / "entry.json"
    content = bytearray(rows.read_bytes())
    if damage == "truncate":
        rows.write_bytes(content[:-100])
    elif damage == "flip":
        content[3000] ^= 1
        rows.write_bytes(content)
    elif damage == "extra bytes":
        rows.write_bytes(content + b"1234")
    elif damage == "no state":
        state_file.unlink()
    else:
        state_file.write_text(json.dumps(["nonsense"]))


def test_a_partial_run_with_damaged_logits_starts_over(noise_source, pixels, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        features.extract(noise_source, extractor=WithLogits(pixels, fail_after=4), cache=tmp_path)
    (entry_folder(tmp_path) / "logits.npy").write_bytes(b"nonsense")
    second_extractor = WithLogits(pixels)
    result = features.extract(noise_source, extractor=second_extractor, cache=tmp_path)
    assert second_extractor.seen == 12
    assert result.logits is not None
    assert np.array_equal(result.logits, result.array[:, :7])


def test_cached_logits_come_back(noise_source, pixels, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        features.extract(noise_source, extractor=WithLogits(pixels, fail_after=4), cache=tmp_path)
    for expected in (False, True):
        result = features.extract(noise_source, extractor=WithLogits(pixels), cache=tmp_path)
        assert result.from_cache is expected
        assert result.logits is not None
        assert np.array_equal(result.logits, result.array[:, :7])


def test_two_runs_at_once_compute_the_features_once(noise, pixels, tmp_path):
    extractors = [CountingExtractor(pixels) for _ in range(3)]
    result = []

    def run(extractor):
        result.append(features.extract(open_images(noise), extractor=extractor, cache=tmp_path))

    threads = [threading.Thread(target=run, args=(extractor,)) for extractor in extractors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(extractor.seen for extractor in extractors) == 12
    assert all(np.array_equal(each.array, noise.reshape(12, -1)) for each in result)


PROGRAM = """
import sys
import genmem.features as features
from genmem.images import open_images

images, cache = sys.argv[1:]
with open_images(images) as source:
    pixels = features.load_backbone("pixels")
    print(features.extract(source, extractor=pixels, cache=cache, batch_size=1).array.sum())
"""


def test_two_processes_at_once_do_not_harm_each_other(noise, tmp_path):
    np.save(tmp_path / "images.npy", noise)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "images.npy"), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [float(process.communicate(timeout=120)[0]) for process in processes]
    assert sums == [float(noise.sum())] * 2


def test_a_cache_that_cannot_be_written_is_named(noise_source, pixels, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"GENMEM_CACHE"):
        features.extract(noise_source, extractor=pixels, cache=tmp_path / "file")


def test_progress_counts_up_to_all_images(noise_source, pixels, tmp_path):
    calls = []
    features.extract(
        noise_source,
        extractor=pixels,
        cache=tmp_path,
        batch_size=5,
        progress=lambda *now: calls.append(now),
    )
    mine = [now for now in calls if now[0].startswith("features in")]
    assert [now[1] for now in mine] == [0, 5, 10, 12]
    assert {now[2] for now in mine} == {12}


@pytest.mark.parametrize("batch_size", [1, 3, 5, 12, 50])
def test_rows_do_not_depend_on_the_batch_size(noise, noise_source, pixels, batch_size):
    result = features.extract(noise_source, extractor=pixels, cache=None, batch_size=batch_size)
    assert np.array_equal(result.array, noise.reshape(12, -1))


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("skip_broken", [False, True])
def test_an_image_that_changes_after_it_was_hashed_stops_the_run_and_is_not_cached(
    broken, skip_broken, folder_with_one_broken, noise, pixels, tmp_path
):
    (folder_with_one_broken / "2.png").unlink()
    file = folder_with_one_broken / "3.png"
    honest, other = file.read_bytes(), (folder_with_one_broken / "4.png").read_bytes()

    def change(stage, done, total):
        if stage.startswith("features in"):
            if broken:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(other)

    def extract(progress=None):
        with open_images(folder_with_one_broken) as source:
            return features.extract(
                source,
                extractor=pixels,
                cache=tmp_path,
                skip_broken=skip_broken,
                progress=progress,
            ).array

    with pytest.raises(InputError, match=r"3\.png in .*: changed while images was read\. Wait"):
        extract(change)
    file.write_bytes(honest)
    assert np.array_equal(extract(), noise[[0, 1, 3, 4]].reshape(4, -1))
