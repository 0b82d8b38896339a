"""Features of a cluster are those of one process, bit for bit, and no shard is computed twice."""

import numpy as np
import pytest
from PIL import Image

from genmem.backend import use_backend
from genmem.distributed import RayBackend, features
from genmem.errors import InputError
from genmem.features import extract, load_backbone
from genmem.images import open_images

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files it leaves to its processes


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(100):
        pixels = rng.integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    for number in (*range(32, 64), 99):
        (folder / f"{number:03d}.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(features, "SHARD_IMAGES", 16)


def extract_on(cluster, folder, cache, backbone="pixels@8", **options):
    extractor = load_backbone(backbone, device="cpu")
    with use_backend(cluster and RayBackend(cluster)), open_images(folder) as source:
        return extract(
            source, extractor=extractor, batch_size=16, skip_broken=True, cache=cache, **options
        )


def assert_same(result, expected):
    assert result.array.tobytes() == expected.array.tobytes()
    assert list(result.ids) == list(expected.ids)
    assert (result.skipped, result.digest) == (expected.skipped, expected.digest)


def test_shards_and_broken_images_give_the_bits_of_one_process(
    cluster, images, tmp_path, small_shards
):
    for backbone in ("pixels@8", "efficientnet-lite0@32"):
        expected = extract_on(None, images, tmp_path / "one", backbone)
        assert_same(extract_on(cluster, images, tmp_path / "many", backbone), expected)
    assert len(expected.skipped) == 33
    assert not list((tmp_path / "many" / "features").glob("*.shards"))
    with (
        open_images(images) as source,
        use_backend(RayBackend(cluster)),
        pytest.raises(InputError, match=r"032\.png in .*: .*--skip-broken"),
    ):
        extract(source, extractor=load_backbone("pixels@8"), cache=tmp_path / "third")


def test_a_run_that_was_killed_computes_only_the_shards_that_are_not_done(
    cluster, images, tmp_path, small_shards, monkeypatch
):
    expected = extract_on(None, images, tmp_path / "one")
    monkeypatch.setattr("genmem.features.feature_cache.remove_shards", lambda folder: None)
    extract_on(cluster, images, tmp_path / "killed")
    [entry] = (tmp_path / "killed" / "features").glob("*/entry.json")
    entry.unlink()  # as if the process that joins the shards was killed before its first flush
    folder = entry.parent.with_name(f"{entry.parent.name}.shards")
    (folder / "000000000064-000000000080.json").unlink()
    damaged = folder / "000000000016-000000000032.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    computed = []
    run = cluster.run

    def record(function, jobs, **options):
        if function is features.extract_shard:
            computed.extend(job[1] for job in jobs)
        return run(function, jobs, **options)

    monkeypatch.setattr(cluster, "run", record)
    assert_same(extract_on(cluster, images, tmp_path / "killed"), expected)
    assert computed == [16, 64]
