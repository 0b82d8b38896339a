import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genmem.errors import InputError
from genmem.images import decode, limits, open_images, parquet, read_batches


@pytest.fixture
def pictures(encoded):
    return [encoded(np.full((4, 4, 3), i, np.uint8)) for i in range(50)]


def write(path, columns, *, metadata=None, **options):
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, **options)
    return path


def structs(pictures):
    return [{"bytes": picture, "path": f"{i}.png"} for i, picture in enumerate(pictures)]


@pytest.mark.parametrize("rows", [1, 7, 50])
@pytest.mark.parametrize("kind", ["struct", "binary", "large_binary", "binary_view", "dictionary"])
def test_rows_are_images_whatever_the_row_groups(kind, rows, pictures, tmp_path):
    if kind == "struct":
        values = structs(pictures)
    elif kind == "dictionary":
        values = pa.array(pictures).dictionary_encode()
    else:
        values = pa.array(pictures, getattr(pa, kind)())
    path = write(tmp_path / "a.parquet", {"n": range(50), "image": values}, row_group_size=rows)
    with open_images(path) as source:
        assert len(source) == 50
        assert source.id(7) == "000007"
        assert source.class_name(7) is None
        order = np.random.default_rng(0).permutation(50).tolist()
        assert [source.content(i) for i in order] == [pictures[i] for i in order]
        (batch,) = read_batches(source, transform=lambda pixels: pixels[0, 0, 0], batch_size=50)
        assert np.array_equal(batch.array, np.arange(50))


def test_labels_are_categories(pictures, tmp_path):
    numbers = [i % 3 for i in range(50)]
    features = {"label": {"names": ["cat", "dog", "eel"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    named = write(tmp_path / "a.parquet", {"img": pictures, "label": numbers}, metadata=metadata)
    plain = write(tmp_path / "b.parquet", {"img": pictures, "label": numbers})
    words = pa.array(["x", None] * 25).dictionary_encode()
    texts = write(tmp_path / "c.parquet", {"img": pictures, "class": words})
    with open_images(named) as a, open_images(plain) as b, open_images(texts) as c:
        assert [a.class_name(i) for i in range(4)] == ["cat", "dog", "eel", "cat"]
        assert [b.class_name(i) for i in range(4)] == ["0", "1", "2", "0"]
        assert [c.class_name(i) for i in range(3)] == ["x", None, "x"]


def test_few_row_groups_are_held_at_a_time(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_CACHE_BYTES", 500)
    path = write(tmp_path / "a.parquet", {"image": pictures}, row_group_size=5)
    with open_images(path) as source:
        for position in range(50):
            source.content(position)
            assert len(source._file._file.groups) <= 2


def test_a_column_called_image_is_preferred(pictures, tmp_path):
    path = write(tmp_path / "a.parquet", {"mask": [b""] * 50, "image": pictures})
    with open_images(path) as source:
        assert source.content(3) == pictures[3]


@pytest.mark.parametrize(
    "columns", [{"text": ["a"]}, {"x": [b"1"], "y": [b"2"]}, {"image": [[1, 2]]}]
)
def test_a_file_without_one_image_column_lists_its_columns(columns, tmp_path):
    path = write(tmp_path / "a.parquet", columns)
    with pytest.raises(InputError, match=f"a.parquet: expected one column .*{next(iter(columns))}"):
        open_images(path)


def test_columns_are_listed_by_name_and_type(tmp_path):
    path = write(tmp_path / "a.parquet", {"text": ["a"], "number": [1]})
    with pytest.raises(InputError, match=r"found text \(string\), number \(int64\)\.$"):
        open_images(path)


def test_a_row_without_bytes_is_named(pictures, tmp_path):
    values = [*structs(pictures), {"bytes": None, "path": "elsewhere.png"}, None]
    path = write(tmp_path / "a.parquet", {"image": values})
    with open_images(path) as source:
        for position in (50, 51):
            with pytest.raises(InputError, match=f"0000{position} in .*: the row holds no image"):
                source.content(position)
        assert decode(source.content(9), name="x")[0, 0, 0] == 9


def test_an_empty_table_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet", {"image": pa.array([], pa.binary())})
    with pytest.raises(InputError, match=r"a\.parquet: expected images, it has no rows"):
        open_images(path)


@pytest.mark.parametrize("kept", [0, 3, 100, -10])
def test_a_file_cut_short_is_named(kept, pictures, tmp_path):
    path = write(tmp_path / "a.parquet", {"image": pictures})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"a\.parquet: not a parquet file, or cut short"):
        open_images(path)


def test_a_row_group_too_large_to_read_is_refused(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP_BYTES", 1000)
    path = write(tmp_path / "a.parquet", {"image": pictures})
    assert limits.MAX_ROW_GROUP_BYTES == 2**31
    with open_images(path) as source, pytest.raises(InputError, match="smaller row groups"):
        source.content(0)


def test_any_damaged_byte_of_the_footer_ends_in_images_or_one_line(tmp_path):
    table = pa.table({"image": [b"one", b"two", b"three"], "label": [0, 1, 0]})
    file = tmp_path / "images.parquet"
    pq.write_table(table, file)
    whole = file.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for offset in range(len(whole) - 8 - footer, len(whole) - 8):
        for change in (0x01, 0x0E, 0x80):
            damaged = bytearray(whole)
            damaged[offset] ^= change
            file.write_bytes(damaged)
            try:
                source = parquet.open_parquet_file(file)
                for position in range(min(len(source), 50)):
                    source.content(position), source.class_name(position)
                source.close()
            except InputError:
                refused += 1
    assert refused > 100
