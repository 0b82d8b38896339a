"""The audit's tables, read back."""

import csv
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from genmem.auditing.results import copied_images
from genmem.auditing.verdict_evidence import judge
from genmem.report.audit import tables
from genmem.report.audit.tables import write_copied, write_duplicates, write_images

from .example import build_audit

NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    'say "hello", twice',
    "two\nlines",
    "</script><b>",
    "not \udcff UTF-8",
    "a;=HYPERLINK(1)",
    "tab\t=1",
    "＝1",
    "plain, 'quoted'.png",
]


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def nasty_audit(**changes):
    audit = build_audit(len(NASTY), train=len(NASTY) * 10, pictures=None, copies=0.5)
    return replace(
        audit,
        generated_ids=NASTY,
        train_ids=[f"{one}{row}" for row in range(10) for one in NASTY],
        classes=[NASTY[row % len(NASTY)] if row % 7 else None for row in range(120)],
        **changes,
    )


@pytest.mark.parametrize("block", [7, 1 << 16])
def test_images_hold_every_row_in_input_order_and_full_precision(tmp_path, monkeypatch, block):
    monkeypatch.setattr(tables, "BLOCK", block)
    audit = build_audit(100, k=3, pictures=None)
    write_images(audit, tmp_path)
    table = pq.read_table(tmp_path / "images.parquet")
    read = table.to_pydict()
    assert audit.classes is not None
    assert table.column_names[:11] == [
        *("generated", "flagged", "accusing", "p_value", "q_value"),
        *("space", "nearest", "transformation"),
        *("class", "distance", "ratio"),
    ]
    assert read["generated"] == list(audit.generated_ids)
    assert read["flagged"] == audit.flagged.tolist()
    assert read["p_value"] == audit.p_values.tolist()
    assert read["q_value"] == audit.q_values.tolist()
    for row in range(100):
        space, train, transformation, distance = audit.nearest(row)
        assert read["space"][row] == space.name
        assert read["nearest"][row] == audit.train_ids[train]
        assert read["transformation"][row] == transformation.name
        assert read["class"][row] == audit.classes[train]
        assert read["distance"][row] == distance
        assert read["ratio"][row] == space.ratio[row]
    for space in audit.spaces:
        assert read[f"{space.name}:p_value"] == space.p_values.tolist()
        assert read[f"{space.name}:statistic"] == space.statistic.tolist()
        assert read[f"{space.name}:ratio"] == space.ratio.tolist()
        for place in range(3):
            names = [audit.train_ids[row] for row in space.train[:, place]]
            changes = [audit.augmentations[one].name for one in space.augmentations[:, place]]
            assert read[f"{space.name}:nearest_{place + 1}"] == names
            assert read[f"{space.name}:distance_{place + 1}"] == space.distances[:, place].tolist()
            assert read[f"{space.name}:transformation_{place + 1}"] == changes
    assert table.num_columns == 11 + 2 * (3 + 3 * 3)


def test_csv_says_the_same_as_parquet(tmp_path):
    audit = build_audit(60, pictures=None)
    audit = replace(audit, verdict=judge(audit))
    write_images(audit, tmp_path)
    table = pq.read_table(tmp_path / "images.parquet")
    lines = rows_of(tmp_path / "images.csv")
    assert list(lines[0]) == table.column_names
    for line, row in zip(lines, table.to_pylist(), strict=True):
        for name, value in row.items():
            if isinstance(value, bool):
                assert line[name] == str(value).lower()
            else:
                assert type(value)(line[name]) == value


def test_there_is_no_class_column_where_no_classes_were_asked_for(tmp_path):
    audit = build_audit(20, classes=False, pictures=None)
    write_images(audit, tmp_path)
    write_copied(audit, copied_images(audit), tmp_path)
    for name in ("images", "copied"):
        assert "class" not in pq.read_table(tmp_path / f"{name}.parquet").column_names


def test_ids_stand_in_parquet_as_they_are(tmp_path):
    audit = nasty_audit()
    write_images(audit, tmp_path)
    read = pq.read_table(tmp_path / "images.parquet").to_pydict()
    assert read["generated"] == [one.replace("\udcff", "\\udcff") for one in NASTY]
    assert None in read["class"] or any(one in NASTY for one in read["class"])


def test_no_spreadsheet_takes_an_id_in_csv_for_a_formula(tmp_path):
    audit = nasty_audit(flagged=np.ones(len(NASTY), bool))
    write_images(audit, tmp_path)
    write_copied(audit, copied_images(audit), tmp_path)
    lines = rows_of(tmp_path / "images.csv")
    assert [line["generated"] for line in lines] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        'say "hello", twice',
        "two\nlines",
        "</script><b>",
        "not \\udcff UTF-8",
        "a;'=HYPERLINK(1)",
        "tab\t'=1",
        "'＝1",
        "plain, 'quoted'.png",
    ]
    for line in (*lines, *rows_of(tmp_path / "copied.csv")):
        for name in {"generated", "nearest", "class", "train"} & line.keys():
            for cell in line[name].split(" | "):
                assert not cell.startswith(("=", "+", "-", "@"))


def test_numbers_below_zero_stay_numbers_in_csv(tmp_path):
    audit = build_audit(5, pictures=None)
    (space, *others) = audit.spaces
    below = replace(space, statistic=-space.statistic)
    write_images(replace(audit, spaces=(below, *others)), tmp_path)
    lines = rows_of(tmp_path / "images.csv")
    statistics = [float(line[f"{space.name}:statistic"]) for line in lines]
    assert statistics == below.statistic.tolist()


def test_copied_training_images_list_their_copies(tmp_path):
    audit = build_audit(200, train=100, copies=0.3, pictures=None)
    audit = replace(audit, verdict=judge(audit))
    found = copied_images(audit)
    assert audit.classes is not None
    assert max(len(image.generated) for image in found) > 1
    write_copied(audit, found, tmp_path)
    read = pq.read_table(tmp_path / "copied.parquet").to_pylist()
    lines = rows_of(tmp_path / "copied.csv")
    for image, row, line in zip(found, read, lines, strict=True):
        ids = [audit.generated_ids[place] for place in image.generated]
        assert row == {
            "train": audit.train_ids[image.train],
            "class": audit.classes[image.train],
            "accusing": True,
            "copies": len(ids),
            "closest_distance": image.distance,
            "generated": ids,
        }
        assert line["generated"] == " | ".join(ids)
        assert int(line["copies"]) == len(ids)


def test_nothing_copied_is_a_table_without_rows(tmp_path):
    audit = build_audit(50, copies=0.0, level=1e-9, pictures=None)
    write_copied(audit, copied_images(audit), tmp_path)
    write_duplicates((), tmp_path)
    assert pq.read_table(tmp_path / "copied.parquet").num_rows == 0
    header = '"train","class","accusing","copies","closest_distance","generated"\n'
    assert (tmp_path / "copied.csv").read_text() == header
    header = '"between","space","first","second","distance","exact","same_picture"\n'
    assert (tmp_path / "duplicates.csv").read_text() == header


def test_duplicates_of_both_kinds_stand_in_one_table(tmp_path):
    audit = build_audit(50, pictures=None)
    write_duplicates(audit.duplicates, tmp_path)
    lines = rows_of(tmp_path / "duplicates.csv")
    expected = [
        (one.between, one.space, *ids, distance, exact)
        for one in audit.duplicates
        for *ids, distance, exact in zip(
            one.first_ids, one.second_ids, one.distances, one.exact, strict=True
        )
    ]
    assert len(expected) == 45
    assert [
        (*list(line.values())[:4], float(line["distance"]), line["exact"] == "true")
        for line in lines
    ] == expected
