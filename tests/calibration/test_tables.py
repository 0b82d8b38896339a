import numpy as np
import pytest

from genmem.calibration import Labels, read_table
from genmem.errors import InputError, UsageError

HEADER = "id,distance,score,label"


def read(path, **changes):
    how = {
        "numbers": ["distance", "score"],
        "label": "label",
        "labels": Labels(),
        "identifier": "id",
    }
    return read_table(path, **{**how, **changes})


@pytest.fixture
def table(write_table):
    return lambda *rows: write_table(*rows, header=HEADER)


def test_999999_marks_a_disqualified_entry_and_a_blank_label_an_unreviewed_one(table):
    found = read(table("a,0.1,999999,mgan", "b,0.2,17,", "c,.3,999999.0,honest"))
    assert found.ids == ("a", "b", "c")
    assert found.labels == ("mgan", "", "honest")
    assert found.disqualified["score"].tolist() == [True, False, True]
    np.testing.assert_array_equal(found.numbers["score"], [np.nan, 17, np.nan])
    np.testing.assert_array_equal(found.numbers["distance"], [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,0.1,1,mgan", "b,near,1,mgan"], "row 3, column distance: .* got 'near'"),
        (["a,0.1,1,mgan", "b,,1,mgan"], "row 3, column distance: .* got a blank"),
        (["a,nan,1,mgan"], "row 2, column distance"),
        (["a,-0.1,1,mgan"], "row 2, column distance: expected a number of at least 0"),
        (["a,1_0,1,mgan"], "row 2, column distance"),
        (["a,0.1,1,mgna"], "row 2, column label: label 'mgna' is unknown.*did you mean 'mgan'"),
        (["a,0.1,1,MGAN"], "did you mean 'mgan'"),
        (["a,0.1,1,mgan", "b,0.1,1,", "a,0.2,1,"], "row 4, column id: id 'a' is already in row 2"),
        (["a,0.1,1,mgan", ",0.2,1,"], "row 3, column id: expected an id, got a blank"),
        (["a,0.1,1"], "row 2: expected 4 cells as in the header, got 3"),
        (["a,0.1,1,mgan,x"], "row 2: expected 4 cells"),
        (["a,0.1,1,mgan", "", "b,x,1,"], "row 4, column distance"),
        ([], "expected rows below the header"),
        (['a,0.1,1,"mgan'], "expected values separated by commas, semicolons"),
    ],
)
def test_a_bad_row_is_named(table, rows, words):
    with pytest.raises(InputError, match=rf"results\.csv.*{words}"):
        read(table(*rows))


def test_a_missing_column_is_named_along_with_the_existing_ones(table):
    with pytest.raises(InputError, match="no column 'distances'; it has id, distance"):
        read(table("a,0.1,1,mgan"), numbers=["distances"])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_by_which_the_header_holds_the_columns(tmp_path, separator):
    path = tmp_path / "t.csv"
    rows = [["no, of; it", "id", "distance", "score", "label"], ["1", "a|b;c", "0.25", "3", "mgan"]]
    quoted = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    path.write_text("\n".join(quoted))
    result = read(path)
    assert (result.ids, result.labels) == (("a|b;c",), ("mgan",))
    assert (result.numbers["distance"][0], result.numbers["score"][0]) == (0.25, 3)


def test_a_missing_column_of_a_table_with_semicolons_is_named_along_with_its_columns(tmp_path):
    (tmp_path / "t.csv").write_text("id;distance;label\na;0.1;mgan\n")
    with pytest.raises(InputError, match="no column 'score'; it has id, distance, label"):
        read(tmp_path / "t.csv")


def test_a_decimal_comma_is_refused_with_what_to_write(tmp_path):
    (tmp_path / "t.csv").write_text("id;distance;score;label\na;0,25;1;mgan\n")
    with pytest.raises(InputError, match=r"row 2, column distance: .* got '0,25'\. Write it with"):
        read(tmp_path / "t.csv")


def test_a_column_that_appears_twice_is_refused(write_table):
    path = write_table("a,1,2,mgan", header="id,distance,distance,label")
    with pytest.raises(InputError, match="'distance' appears 2 times"):
        read(path, numbers=["distance"])


def test_columns_that_are_not_requested_may_contain_anything(write_table):
    path = write_table("a,0.1,mgan,hello", header="id,distance,label,comment")
    assert len(read(path, numbers=["distance"])) == 1


def test_without_an_id_column_the_row_numbers_are_the_ids(table):
    assert read(table("a,0.1,1,", "a,0.1,1,"), identifier=None).ids == ("2", "3")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00i", b"\x00\x01"])
def test_a_file_that_is_not_a_table_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("path", ["missing.csv", ".", "a\0b.csv"])
def test_a_file_that_cannot_be_read_is_named(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_a_spreadsheets_byte_order_mark_quotes_and_line_ends_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeff id,distance,score,label\r\n"a, b",0.1,1, mgan \r\n'.encode())
    found = read(path)
    assert (found.ids, found.labels) == (("a, b",), ("mgan",))


@pytest.mark.parametrize("labels", [{"honest": ()}, {"cheating": ("",)}, {"honest": ("mgan",)}])
def test_labels_that_contradict_each_other_are_refused(labels):
    with pytest.raises(UsageError, match="label"):
        Labels(**labels)
