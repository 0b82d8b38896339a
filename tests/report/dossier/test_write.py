"""The document of an audit: what it says, of which folders, and that it is the same each time."""

import base64
import csv
import io
import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from genmem.auditing.results import most_suspicious_first
from genmem.auditing.review import KIND
from genmem.auditing.verdict_evidence import judge
from genmem.cli.app import run
from genmem.errors import InputError, UsageError
from genmem.report.audit.page import write_audit
from genmem.report.audit.regions import SharedRegion
from genmem.report.common.verdict import HEADINGS
from genmem.report.dossier.evidence import area, chance, difference, lay_over
from genmem.report.dossier.pdf import check_pdf
from genmem.report.dossier.stored_audit import read_audit
from genmem.report.dossier.write import render, write_dossier

from ..audit.example import LargePictures
from ..audit.example import build_audit as build_unjudged

QUESTIONS = (
    "What was searched?",
    "What was found?",
    "How sure is that?",
    "What could have been missed?",
    "What should be done?",
)


def build_audit(count, **settings):
    """An audit as `genmem.audit` returns it, with its verdict."""
    audit = build_unjudged(count, **settings)
    return replace(audit, verdict=judge(audit))


@pytest.fixture(scope="module")
def audit():
    return build_audit(60, train=200, copies=0.1)


@pytest.fixture
def folder(audit, tmp_path):
    write_audit(audit, tmp_path / "audit")
    return tmp_path / "audit"


def change(folder, **values):
    path = folder / "audit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def text_of(page):
    return re.sub(r"[\s\u00a0]+", " ", re.sub("<[^>]*>", " ", page))


def test_the_first_page_answers_five_questions(folder):
    page = write_dossier(folder).read_text()
    places = [page.index(question) for question in QUESTIONS]
    assert places == sorted(places)
    assert places[-1] < page.index("1. What was examined")
    text = text_of(page)
    for part in (
        "Each of 60 generated images (generated.zip) was compared with 200 training images",
        "40 held-out images",
        "mirrored copies",
        "Copies: 6 of 60 generated images are closer to a training image",
        "The flagged images repeat",
        "should be flagged by mistake",
        "distances do not show membership privacy",
        "How many disguised copies this audit would have found was not measured",
    ):
        assert part in text, part


@pytest.mark.parametrize("label", HEADINGS)
def test_every_verdict_has_its_heading_and_says_what_to_do(folder, label):
    change(folder, verdict={"label": label, "sentence": "The finding.", "reasons": ["Why so."]})
    text = text_of(write_dossier(folder).read_text())
    assert HEADINGS[label] in text
    assert "The finding." in text
    assert "Why so." in text
    accuses = "publish neither the images nor the model" in text
    assert accuses == (label == "copying")


def test_without_a_yardstick_flags_and_shares_say_nothing(folder):
    change(
        folder,
        verdict={"label": "no-yardstick", "sentence": "No yardstick: other files.", "reasons": []},
        yardstick={"holds": False, "reasons": ["the held-out images are PNG."], "notes": []},
    )
    text = text_of(write_dossier(folder).read_text())
    assert "prove nothing" in text
    assert "cannot be compared with. The held-out images are PNG." in text
    assert "Estimated share of copies" not in text
    assert "should be flagged by mistake" not in text
    assert "Close pairs All" in text
    assert "Without a yardstick, p and q are not available" in text
    assert "Smallest possible p not available without a yardstick" in text
    assert "Flagged images" not in text
    assert "Training images that they repeat" not in text
    assert "Flagged pairs" not in text


def test_exact_copies_without_a_yardstick_accuse_without_p_and_q(folder):
    verdict = {"label": "copying", "sentence": "30 are exact copies.", "reasons": []}
    change(
        folder,
        verdict=verdict | {"comparable": False, "basis": ["exact"]},
        yardstick={"holds": False, "reasons": ["the held-out images are PNG."], "notes": []},
    )
    text = text_of(write_dossier(folder).read_text())
    assert "Close pairs" in text
    assert "Chance that an honest image is as close" not in text
    assert "Without a yardstick, p and q are not available" in text
    assert "Exact copies need no error rate" in text
    assert "Every copy that is not exact: nothing says how close is too close." in text
    assert "Estimated share" not in text


def test_a_folder_that_does_not_say_what_an_accusation_rests_on_is_refused(folder):
    verdict = {"label": "copying", "sentence": "About 30 %.", "reasons": [], "comparable": False}
    change(folder, verdict=verdict)
    with pytest.raises(UsageError, match=r"earlier version of genmem.*verdict\.basis"):
        read_audit(folder)


@pytest.mark.parametrize("comparable", [True, False])
def test_an_open_audit_estimates_no_share_and_says_that_nothing_counts(folder, comparable):
    verdict = {"label": "open", "sentence": "No verdict.", "reasons": []}
    change(folder, verdict=verdict | {"comparable": comparable}, flagged=0)
    text = text_of(write_dossier(folder).read_text())
    assert "Estimated share" not in text
    assert ("too few to tell copies from chance" in text) == comparable
    assert ("there was nothing to compare with" in text) == (not comparable)


def test_notes_of_the_copied_fraction_stand_in_the_document(folder):
    numbers = json.loads((folder / "audit.json").read_text())
    change(folder, copied_fraction=numbers["copied_fraction"] | {"notes": ["few images: look."]})
    assert "Few images: look." in text_of(write_dossier(folder).read_text())


def test_pairs_that_are_left_out_are_counted_and_it_is_said_where_they_are(folder, monkeypatch):
    monkeypatch.setattr("genmem.report.dossier.write.SHOWN", 2)
    text = text_of(write_dossier(folder).read_text())
    assert "The 2 most suspicious of 6. The other 4 are left out here; images.csv" in text
    rows = list(csv.DictReader((folder / "images.csv").read_text().splitlines()))
    assert sum(row["flagged"] == "true" for row in rows) == 6


def test_sets_and_run_are_named_with_their_fingerprints(folder, audit):
    change(folder, provenance={**audit.provenance, "command": "genmem audit a --train b"})
    text = text_of(write_dossier(folder).read_text())
    for summary in audit.inputs.values():
        assert summary.digest in text
    assert audit.digest() in text
    assert "genmem 0.1.0" in text
    assert "genmem audit a --train b" in text
    assert "2026-11-22 15:47:00" in text


def test_flagged_pairs_come_with_both_pictures_and_their_difference(folder, audit):
    page = write_dossier(folder).read_text()
    flagged = int(audit.flagged.sum())
    assert f"All {flagged}, the most suspicious first" in page
    assert page.count("<article") == flagged + 6
    assert page.count("<img ") == 3 * (flagged + 6)
    row = int(most_suspicious_first(audit)[0])
    first = page.split("<article")[1]
    assert audit.generated_ids[row] in first
    assert audit.train_ids[audit.nearest(row)[1]] in first


def test_the_difference_is_that_of_the_pixels_four_times_as_bright():
    rng = np.random.default_rng(0)
    generated, train = rng.integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    expected = np.minimum(4 * np.abs(generated.astype(int) - train.astype(int)), 255)
    assert (difference(generated, Image.fromarray(train)) == expected).all()
    larger = Image.fromarray(train).resize((14, 18), Image.Resampling.NEAREST)
    assert difference(generated, larger).shape == (9, 7, 3)


def test_the_folder_is_enough_and_gives_the_same_bytes_each_time(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    for pdf in (False, True):
        first = write_dossier(folder, pdf=pdf).read_bytes()
        assert write_dossier(tmp_path / "copy", pdf=pdf).read_bytes() == first
        assert first.lstrip().startswith(b"%PDF" if pdf else b"<!doctype")


def test_a_pdf_needs_nothing_but_the_page(folder, caplog):
    write_dossier(folder, pdf=True)
    assert [record.getMessage() for record in caplog.records if record.levelno > 30] == []


def test_marks_are_shown_and_give_the_reviewed_rate(folder, audit, tmp_path):
    rows = np.flatnonzero(audit.flagged).tolist()
    marks = [{"row": row, "mark": "copy"} for row in rows[1:]]
    marks.append({"row": rows[0], "mark": "not-a-copy"})
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"kind": KIND, "audit": audit.digest(), "marks": marks}))
    page = write_dossier(folder, marks=path).read_text()
    assert page.count("<b>a copy</b>") == len(rows) - 1
    assert page.count("<b>not a copy</b>") == 1
    assert f"A reviewer marked {len(rows)} of {len(rows)} flagged pairs" in text_of(page)
    assert "All flagged pairs are marked" in page


def test_names_are_never_markup(tmp_path):
    evil = "<script>alert(1)</script>"
    audit = build_audit(12, train=60, copies=0.5)
    audit = replace(
        audit,
        generated_ids=[f"{evil}{row}" for row in range(12)],
        train_ids=[f"{evil}\n\u202e{row}" for row in range(60)],
        classes=[evil] * 60,
        notes=(evil,),
    )
    write_audit(audit, tmp_path)
    page = write_dossier(tmp_path).read_text()
    assert "<script" not in page
    assert "\u202e" not in page


def test_features_have_a_document_without_pictures(tmp_path):
    audit = build_audit(30, classes=False, test=False, names=("features",), pictures=None)
    write_audit(replace(audit, copied_fraction=None), tmp_path)
    page = write_dossier(tmp_path).read_text()
    assert "<img" not in page
    assert "No held-out images were given" in page
    assert "cannot be estimated" in page


def test_large_pictures_are_reduced(tmp_path):
    write_audit(build_audit(12, train=60, copies=0.5, pictures=LargePictures), tmp_path)
    assert "data:image/jpeg" in write_dossier(tmp_path).read_text()


def test_a_new_audit_removes_the_document_of_the_earlier_one(folder, audit):
    write_dossier(folder)
    write_dossier(folder, pdf=True)
    write_audit(audit, folder)
    assert not (folder / "report.html").exists()
    assert not (folder / "report.pdf").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("audit.json", None, "expected the output directory of `genmem audit`"),
        ("audit.json", "{", "is damaged: expected JSON"),
        ("pairs.json", None, "an audit of an earlier version"),
        ("pairs.json", '{"pairs": [{}]}', "is damaged"),
        ("pictures/generated", None, "the audit's folder is incomplete"),
    ],
)
def test_a_folder_without_a_whole_audit_is_refused(folder, name, content, message):
    path = folder / name
    if content is not None:
        path.write_text(content)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises((InputError, UsageError), match=message):
        write_dossier(folder)
    assert not (folder / "report.html").exists()


def refused(folder):
    """The one line of the error."""
    with pytest.raises(InputError) as error:
        write_dossier(folder)
    assert not (folder / "report.html").exists()
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "key",
    [
        *("digest", "notes", "inputs", "spaces", "images", "flagged", "provenance", "seconds"),
        *("duplicates", "level", "augmentations", "copied_training_images", "min_p_value"),
    ],
)
def test_numbers_without_a_key_are_refused_in_one_line(folder, key):
    path = folder / "audit.json"
    numbers = json.loads(path.read_text())
    del numbers[key]
    path.write_text(json.dumps(numbers))
    assert f"audit.json is damaged: {key}: Field required" in refused(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("verdict", {"label": "foo", "sentence": "", "reasons": []}),
        ("verdict", "copying"),
        ("images", "x"),
        ("images", True),
        ("images", -1),
        ("images", 0),
        ("level", 5),
        ("spaces", {}),
        ("spaces", {"pixels": 3}),
        ("inputs", {"generated": {}}),
        ("copied_fraction", {"value": "x"}),
        ("power", {"planted": 3}),
        ("duplicates", [{}]),
        ("seconds", {"total": "long"}),
        ("provenance", 3),
        ("min_copies_flagged", "few"),
        ("yardstick", {"holds": True}),
        ("notes", "none"),
    ],
)
def test_damaged_numbers_are_refused_in_one_line(folder, key, value):
    change(folder, **{key: value})
    assert "audit.json is damaged" in refused(folder)


SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p_value", None),
        ("p_value", 2),
        ("q_value", "x"),
        ("row", -1),
        ("row", True),
        ("flagged", 1),
        ("augmentation", ["x"]),
        ("generated_picture", "../../secret.png"),
        ("train_picture", "pictures/../../secret.png"),
        ("train_picture", "/secret.png"),
        ("train_picture", "pictures/train/000001.png\n"),
        ("region", {"generated": SQUARE, "train": SQUARE, "to_train": [[1, 0, 0]]}),
        ("region", {"generated": [], "train": SQUARE, "to_train": [[1, 0, 0], [0, 1, 0]]}),
        ("region", {"generated": [[5, 0]] * 3, "train": SQUARE, "to_train": [[1, 0, 0]] * 2}),
    ],
)
def test_damaged_pairs_are_refused_in_one_line(folder, field, value):
    path = folder / "pairs.json"
    document = json.loads(path.read_text())
    document["pairs"][0][field] = value
    path.write_text(json.dumps(document))
    assert f"pairs.json is damaged: pairs.0.{field}" in refused(folder)


@pytest.mark.parametrize("pairs", [5, None, "x", [3]])
def test_pairs_that_are_no_list_are_refused_in_one_line(folder, pairs):
    (folder / "pairs.json").write_text(json.dumps({"kind": "genmem audit pairs", "pairs": pairs}))
    assert "pairs.json is damaged: pairs" in refused(folder)


def test_a_picture_that_links_to_another_folder_is_not_shown(folder, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    picture = folder / json.loads((folder / "pairs.json").read_text())["pairs"][0]["train_picture"]
    picture.unlink()
    picture.symlink_to(secret)
    assert "is a link out of the folder pictures" in refused(folder)


def test_a_region_and_a_missing_ratio_are_read(folder):
    path = folder / "pairs.json"
    document = json.loads(path.read_text())
    region = {"generated": SQUARE, "train": SQUARE, "to_train": [[1, 0, 0], [0, 1, 0]]}
    document["pairs"][0] |= {"region": region, "ratio": None}
    path.write_text(json.dumps(document))
    pair = read_audit(folder).pairs[0]
    assert pair.region.to_train == ((1, 0, 0), (0, 1, 0))
    assert np.isnan(pair.ratio)


def test_versions_of_libraries_that_are_missing_are_read(folder, audit):
    change(folder, provenance={**audit.provenance, "versions": {"genmem": "1", "timm": None}})
    assert "genmem 1" in text_of(write_dossier(folder).read_text())


def test_a_missing_weasyprint_is_one_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UsageError, match=r"pip install 'genmem\[pdf\]'"):
        check_pdf()


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.5, "about 50 in 100"),
        (1 / 261, "about 1 in 261"),
        (1e-5, "about 1 in 100,000"),
        (0.0, "less than 1 in a million"),
    ],
)
def test_a_small_probability_reads_as_odds(p_value, words):
    assert chance(p_value) == words


def test_a_picture_of_the_document_is_the_stored_one(folder, audit):
    page = render(read_audit(folder))
    row = int(most_suspicious_first(audit)[0])
    uri = re.search(r'src="data:image/png;base64,([^"]*)"', page.split("<article")[1])
    assert uri is not None
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri[1]))))
    stored = Image.open(io.BytesIO(audit.thumbnails.generated(row))).convert("RGB")
    assert (shown == np.asarray(stored)).all()


def test_a_region_s_area_is_that_of_its_polygon():
    assert area(((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))) == 0.25
    assert area(((0.0, 0.0), (0.0, 1.0), (1.0, 0.0))) == 0.5


def test_a_pasted_part_laid_over_its_source_leaves_no_difference():
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (8, 10, 3)).astype(np.uint8))
    train = smooth.resize((200, 160), Image.Resampling.BICUBIC)
    generated = Image.new("RGB", (120, 90), "white")
    generated.paste(train.crop((50, 40, 110, 100)), (20, 10))
    region = SharedRegion(
        generated=(
            (20 / 120, 10 / 90),
            (80 / 120, 10 / 90),
            (80 / 120, 70 / 90),
            (20 / 120, 70 / 90),
        ),
        train=((0.25, 0.25), (0.55, 0.25), (0.55, 0.625), (0.25, 0.625)),
        to_train=((120 / 200, 0.0, 30 / 200), (0.0, 90 / 160, 30 / 160)),
    )
    apart = difference(np.asarray(generated), lay_over(train, generated.size, region))
    assert apart[12:68, 22:78].max() <= 4
    assert apart[75:].mean() > 100


def test_planted_copies_are_a_table(folder):
    interval = {"low": 0.5, "high": 1.0, "level": 0.95, "method": "exact"}
    row = {"kind": "crop", "disguise": "crop 40 %", "planted": 6, "flagged": 5, "share": 5 / 6,
           "interval": interval, "at_most": 0.3}  # fmt: skip
    power = {"copies": 4, "images": 60, "planted": 6, "flagged": 5, "share": 5 / 6,
             "sentence": "At most 3 % in this table.", "assumption": "Planted: six.",
             "disguises": [row]}  # fmt: skip
    change(folder, power=power)
    text = text_of(write_dossier(folder).read_text())
    assert (
        "5 of them (83.3 %) would have been flagged if 4 of the 60 generated images were copies of "
        "one kind. At most 3 % in section 4."
    ) in text
    assert "crop 40 % 6 5 83.3 % (50.0 to 100 %)" in text
    assert "was not measured" not in text


def test_the_command_writes_the_document_and_its_errors_are_one_line(folder, capsys):
    assert run(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert run(["report", str(folder), "--marks", str(folder / "audit.json")]) == 2
    assert "expected marks that an audit's page exported" in capsys.readouterr().err
    assert run(["report", str(folder / "pictures")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_audit_with_pdf_records_its_command_without_folders_of_this_machine(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("train", 12), ("test", 12), ("generated", 5)):
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    command = ["audit", str(tmp_path / "generated"), "--train", str(tmp_path / "train")]
    command += ["--test", str(tmp_path / "test"), "--backbone", "pixels"]
    assert run([*command, "--out", str(tmp_path / "out"), "--pdf"]) == 0
    numbers = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert numbers["provenance"]["command"] == (
        "genmem audit generated --train train --out out --test test --backbone pixels --pdf"
    )
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
