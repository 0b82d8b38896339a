"""Several shards as one set: what is read is what each shard holds, one after the other."""

import gc
import io
import json
import tarfile
import tracemalloc

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genmem.errors import InputError
from genmem.images import file_pool, hash_images, open_images, read_batches, read_classes
from genmem.images.shards import shard_names


def ids_of(source):
    return [source.id(position) for position in range(len(source))]


def contents_of(source):
    return [source.content(position) for position in range(len(source))]


@pytest.fixture
def images(encoded):
    """Thirty encoded images that differ."""
    rng = np.random.default_rng(0)
    return [encoded(pixels) for pixels in rng.integers(0, 256, (30, 4, 4, 3), np.uint8)]


@pytest.fixture
def shards(images, build_tar):
    """Three tars as webdataset and img2dataset write them: image, caption and JSON by key."""
    for number in range(3):
        files = {}
        for row in range(10):
            key = f"{number:05d}{row:04d}"
            files[f"{key}.png"] = images[10 * number + row]
            files[f"{key}.txt"] = f"picture {number} {row}\n".encode()
            files[f"{key}.json"] = json.dumps({"caption": "not this one"}).encode()
        path = build_tar(files, f"{number:05d}.tar")
    return path.parent


@pytest.mark.parametrize(
    "pattern", ["{00000..00002}.tar", "*.tar", "0000[0-2].tar", "{00000,00001,00002}.tar", ""]
)
def test_a_pattern_and_a_folder_are_the_same_set(pattern, shards, images):
    with open_images(shards / pattern) as source:
        assert ids_of(source) == [f"{i // 10:05d}/{i // 10:05d}{i % 10:04d}.png" for i in range(30)]
        assert contents_of(source) == images
        assert source.caption(12) == "picture 1 2"
        assert (source.side_file_count, source.non_image_count) == (60, 0)
        assert source.describe(29) == f"000020009.png in {shards / '00002.tar'}"
        [batch] = read_batches(source, transform=np.asarray, batch_size=40)
        assert batch.positions.tolist() == list(range(30))


def test_braces_keep_their_order_and_wildcards_sort(shards, images):
    with open_images(f"{shards}/{{00002,00000}}.tar") as source:
        assert contents_of(source) == images[20:] + images[:10]
    with open_images(f"{shards}/0*2.tar") as one:
        assert one.id(0) == "00002/000020000.png"
    with open_images(shards / "00002.tar") as plain:
        assert plain.id(0) == "000020000.png"
        assert plain.caption(0) == "picture 2 0"


def test_the_hash_is_that_of_the_images_in_order(shards, images, build_folder):
    folder = build_folder({f"{i:02d}.png": image for i, image in enumerate(images)})
    with open_images(folder) as files, open_images(str(shards / "*.tar")) as source:
        assert hash_images(source).hexdigest == hash_images(files).hexdigest


def test_img2dataset_s_tables_and_statistics_beside_its_shards_are_left_out(shards, images):
    for number in range(3):
        table = pa.table({"url": ["https://x"] * 10, "caption": ["a"] * 10})
        pq.write_table(table, shards / f"{number:05d}.parquet")
        (shards / f"{number:05d}_stats.json").write_text("{}")
    with open_images(shards) as source:
        assert contents_of(source) == images
        assert source.side_file_count == 60 + 6
    with open_images(f"{shards}/0000*") as source:
        assert (len(source), source.side_file_count) == (30, 60 + 6)


def test_img2dataset_s_folders_of_files_are_images_with_captions(images, build_folder, tmp_path):
    files = {}
    for i, image in enumerate(images[:4]):
        files[f"0000{i // 2}/{i:09d}.jpg"] = image
        files[f"0000{i // 2}/{i:09d}.txt"] = f"picture {i}".encode()
        files[f"0000{i // 2}/{i:09d}.json"] = b"{}"
    folder = build_folder(files)
    pq.write_table(pa.table({"url": ["x"]}), folder / "00000.parquet")
    (folder / "00000_stats.json").write_text("{}")
    with open_images(folder) as source:
        assert ids_of(source)[3] == "00001/000000003.jpg"
        assert [source.caption(i) for i in range(4)] == [f"picture {i}" for i in range(4)]
        assert (source.side_file_count, source.non_image_count) == (10, 0)


def test_members_of_other_kinds_beside_an_image_are_left_out_and_counted(images, build_tar):
    files = {
        "a.jpg": images[0],
        "a.vae.npy": b"1",
        "a.seg.json": b"{}",
        "b.v2.png": images[1],
        "b.mp3": b"2",
    }
    with open_images(build_tar(files)) as source:
        assert ids_of(source) == ["a.jpg", "b.v2.png"]
        assert (source.side_file_count, source.non_image_count) == (3, 0)
    with open_images(build_tar(files | {"c.mp3": b"3"}, "other.tar")) as source:
        assert (source.non_image_count, source.first_non_image) == (1, "c.mp3")


def test_a_caption_in_json_counts_where_there_is_no_text(images, build_tar):
    files = {
        "a.png": images[0],
        "a.json": json.dumps({"url": "x", "text": "a cat", "caption": None}).encode(),
        "b.png": images[1],
        "b.json": b"damaged",
        "c.png": images[2],
        "d.png": images[3],
        "d.json": b"[1]",
    }
    with open_images(build_tar(files)) as source:
        assert [source.caption(i) for i in range(4)] == ["a cat", None, None, None]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_captions_and_labels_are_the_same_in_a_folder_a_zip_and_a_tar(
    kind, images, build_folder, build_zip, build_tar
):
    files = {}
    for i in range(6):
        files |= {f"x/{i}.png": images[i], f"x/{i}.cls": f"{i % 2}\n".encode()}
        files |= {f"x/{i}.txt": f" café {i} ".encode()} if i != 3 else {}
    build = {"folder": build_folder, "zip": build_zip, "tar": build_tar}[kind]
    with open_images(build(files)) as source:
        assert read_classes(source) == ["0", "1"] * 3
        expected = [f"café {i}" if i != 3 else None for i in range(6)]
        assert [source.caption(i) for i in range(6)] == expected


def test_classes_are_folders_that_differ_among_all_shards(images, build_tar):
    build_tar({"data/cat/1.png": images[0], "data/cat/2.png": images[1]}, "0.tar")
    folder = build_tar({"data/dog/1.png": images[2]}, "1.tar").parent
    with open_images(folder / "{0,1}.tar") as source:
        assert read_classes(source) == ["cat", "cat", "dog"]
        assert ids_of(source)[2] == "1/data/dog/1.png"


def test_parquet_shards_have_captions_and_classes_by_columns(images, tmp_path):
    for number in range(3):
        rows = images[10 * number : 10 * number + 10]
        structs = [{"bytes": image, "path": None} for image in rows]
        columns = {"image": structs, "label": [number] * 10, "text": [f"text {number}"] * 10}
        pq.write_table(pa.table(columns), tmp_path / f"train-{number}.parquet", row_group_size=3)
    with open_images(tmp_path / "train-*.parquet") as source:
        assert contents_of(source) == images
        assert ids_of(source)[10] == "train-1/000000"
        assert read_classes(source) == [str(i // 10) for i in range(30)]
        assert source.caption(25) == "text 2"


def test_img2dataset_s_parquet_output_is_read(images, tmp_path):
    columns = {"key": ["0"] * 3, "jpg": images[:3], "caption": ["a", None, "c"]}
    pq.write_table(pa.table(columns), tmp_path / "00000.parquet")
    with open_images(tmp_path) as source:
        assert contents_of(source) == images[:3]
        assert [source.caption(i) for i in range(3)] == ["a", None, "c"]


def test_zips_and_compressed_tars_are_shards_too(images, build_zip, build_tar):
    build_zip({"1.png": images[0]}, "a.zip")
    folder = build_zip({"1.png": images[1]}, "b.zip").parent
    with open_images(folder / "{b,a}.zip") as source:
        assert (ids_of(source), contents_of(source)) == (
            ["b/1.png", "a/1.png"],
            [images[1], images[0]],
        )
    build_tar({"1.png": images[0]}, "a.tar.gz", "w:gz")
    build_tar({"1.png": images[1]}, "a.tar")
    with open_images(f"{folder}/a.t*") as source:
        assert ids_of(source) == ["a.tar/1.png", "a.tar.gz/1.png"]
        assert contents_of(source) == [images[1], images[0]]


def open_files():
    return len(psutil.Process().open_files())


def test_more_shards_than_may_be_open_are_read(images, build_tar):
    for number in range(30):
        folder = build_tar({"x.png": images[number]}, f"{number:02d}.tar").parent
    with open_images(folder) as source:
        before = open_files()
        assert contents_of(source) == images
        assert contents_of(source)[::-1] == images[::-1]
        assert open_files() <= before + file_pool.MAX_OPEN


def test_entries_of_shards_are_no_objects(images, tmp_path):
    count, shards = 2000, 5
    for shard in range(shards):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as archive:
            for number in range(count):
                for suffix in ("jpg", "txt"):
                    archive.addfile(tarfile.TarInfo(f"{number:09d}.{suffix}"))
    open_images(tmp_path).close()
    gc.collect()
    objects, arrow = len(gc.get_objects()), pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        source = open_images(tmp_path)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held += pa.total_allocated_bytes() - arrow
    gc.collect()
    assert len(source) == shards * count
    assert len(gc.get_objects()) - objects < 100 * shards
    # names of 13 bytes and 4 for where they end, 8 of the image and of its caption, 4 between them
    assert held < (13 + 4 + 8 + 8 + 4 + 1 + 10) * len(source)
    source.close()


def test_equal_names_in_several_shards_have_different_ids():
    assert shard_names(["x/0.tar", "y/0.tar"]) == ["x/0", "y/0"]
    assert shard_names(["d/x/0.tar", "d/x/1.tar"]) == ["0", "1"]
    assert shard_names(["d/0.tar", "d/0.tgz"]) == ["0.tar", "0.tgz"]
    assert shard_names(["s3://b/d/0.tar", "s3://b/e/0.tar"]) == ["d/0", "e/0"]
    assert shard_names(["0.tar"]) == ["0"]


def add(folder, name, content=b"x"):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("none*.tar", r"none\*\.tar: no file matches this pattern"),
        ("{00000..00005}.tar", r"00003\.tar: there is no such file"),
        ("{00002..00000}.tar", "counts down"),
        ("{00000,00000}.tar", r"names .*00000\.tar 2 times"),
        ("*.log", r"expected tar, zip or parquet files, found 1 file, such as .*run\.log"),
        ("*.png", r"found 1 file, such as .*0\.png. For images as files, give their folder"),
        ("0*.*", r"expected shards of one kind, found .* 1 zip file \(.*000\.zip\) and 3 tar"),
        ("*.parquet", "expected one column of encoded images.* found url"),
    ],
)
def test_a_pattern_that_is_no_set_is_refused_in_one_line(pattern, message, shards, images):
    add(shards, "run.log")
    add(shards, "0.png", images[0])
    add(shards, "000.zip")
    pq.write_table(pa.table({"url": ["x"]}), shards / "urls.parquet")
    with pytest.raises(InputError, match=message) as caught:
        open_images(shards / pattern)
    assert "\n" not in str(caught.value)


def test_a_shard_without_entries_adds_none_and_a_set_of_them_is_refused(shards, images, build_tar):
    build_tar({"0.json": b"{}"}, "00003.tar")
    build_tar({}, "00004.tar")
    with open_images(shards) as source:
        assert contents_of(source) == images
    with pytest.raises(InputError, match=r"00004\.tar: expected images .*, found nothing"):
        open_images(shards / "0000[34].tar")


def test_a_folder_of_unlike_shards_is_refused(shards, tmp_path):
    pq.write_table(pa.table({"image": [b"x"]}), shards / "other.parquet")
    with pytest.raises(InputError, match=r"found 3 tar files .* and 1 parquet file"):
        open_images(shards)


def test_a_column_that_one_shard_lacks_is_named(images, tmp_path):
    pq.write_table(pa.table({"image": images[:2]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"picture": images[:2]}), tmp_path / "1.parquet")
    with pytest.raises(InputError, match=r"1\.parquet: .* column picture, .* in image; expected"):
        open_images(tmp_path)


def test_a_shard_cut_short_is_named(shards):
    path = shards / "00001.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"00001\.tar: .*cut short"):
        open_images(shards)


@pytest.mark.parametrize("name", ["/etc/x.png", "../x.png", "a/../../x.png"])
def test_a_shard_with_names_that_leave_it_is_refused(name, shards, images):
    with tarfile.open(shards / "00003.tar", "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(images[0])
        archive.addfile(entry, io.BytesIO(images[0]))
    with pytest.raises(InputError, match=r"00003\.tar: points outside the archive"):
        open_images(shards)


def test_a_file_whose_own_name_looks_like_a_pattern_is_that_file(images, build_tar):
    path = build_tar({"x.png": images[0]}, "[a]{b,c}.tar")
    with open_images(path) as source:
        assert ids_of(source) == ["x.png"]
