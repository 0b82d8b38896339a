"""What the audit's page says, before any browser sees it."""

import base64
import csv
import hashlib
import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import genmem
from genmem.auditing.results import copied_images
from genmem.auditing.verdict_evidence import judge
from genmem.report.audit import page
from genmem.report.audit.images import Album, page_rows
from genmem.report.audit.page import render, write_audit
from genmem.report.audit.text import (
    details,
    duplicates_sentence,
    estimated_share,
    judged,
    null_sentences,
    space_table,
    verdict,
)
from genmem.report.common.next_steps import next_steps
from genmem.results import Interval, Result, Verdict, Yardstick

from .example import build_audit

EVIL = "<script>alert(1)</script><!--"


def page_of(audit):
    return render(audit, page_rows(audit), copied_images(audit), Album())


def flagged(audit, count):
    """The audit with exactly so many flags, on the most suspicious rows."""
    flags = np.zeros(len(audit.p_values), bool)
    flags[page_rows(audit)[:count]] = True
    return replace(audit, flagged=flags)


def estimate(value, low, high):
    interval = Interval(low=low, high=high, level=0.95, method="simulated")
    return Result(
        name="copied_fraction",
        value=value,
        n={"generated": 50},
        parts={"below": 0, "fewest_below": 2, "detectable_share": 0.04},
        interval=interval,
    )


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [
        (250, 5000, "250 of 5,000 generated images are flagged as copies"),
        (1, 5000, "1 of 5,000 generated images is flagged as a copy"),
        (0, 5000, "None of the 5,000 generated images is flagged as a copy"),
        (1, 1, "1 of 1 generated image is flagged as a copy"),
        (0, 1, "The one generated image is not flagged as a copy"),
    ],
)
def test_the_headline_counts_the_flagged_images(count, of, expected):
    audit = flagged(build_audit(of, copies=0.0, pictures=None), count)
    assert verdict(audit).sentence.startswith(f"{expected} at a false-discovery rate of 5 %.")


def test_the_verdict_follows_the_flags_and_the_estimated_share():
    audit = build_audit(50, copies=0.0, pictures=None)
    some = replace(audit, copied_fraction=estimate(0.02, 0.01, 0.03))
    none = replace(audit, copied_fraction=estimate(0.0, 0.0, 0.01))
    assert verdict(flagged(none, 3)).level == "copying"
    assert verdict(flagged(some, 0)).level == "copying"
    assert verdict(flagged(none, 0)).level == "clear"
    same = {role: replace(summary, digest="same") for role, summary in audit.inputs.items()}
    assert verdict(flagged(replace(audit, inputs=same), 50)).level == "open"


def test_no_sign_of_copying_says_how_many_copies_there_can_be_and_what_was_not_looked_for():
    audit = build_audit(50, copies=0.0, pictures=None)
    sentence = verdict(
        flagged(replace(audit, copied_fraction=estimate(0.0, 0.0, 0.01)), 0)
    ).sentence
    assert "At most 1.0 % of the generated images are copies" in sentence
    assert "a share of 4.0 % of perfect copies would have been told from none" in sentence
    assert "Not looked for: parts of images" in sentence


def test_a_verdict_without_a_yardstick_accuses_nobody():
    audit = flagged(build_audit(50, copies=0.0, pictures=None), 40)
    other = Yardstick(holds=False, reasons=("Training images are JPEG, held-out images PNG.",))
    audit = replace(audit, yardstick=other)
    banner = verdict(audit)
    assert (banner.word, banner.level) == ("No yardstick", "doubt")
    assert banner.sentence.startswith("Training images are JPEG, held-out images PNG.")
    assert "none is accused" in banner.sentence
    assert "flagged" not in " ".join([banner.sentence, *details(audit, copied_images(audit))])


def test_without_a_yardstick_no_part_of_the_page_or_its_files_accuses(tmp_path):
    audit = flagged(build_audit(50, copies=0.2, pictures=None), 40)
    other = Yardstick(holds=False, reasons=("Training images are JPEG, held-out images PNG.",))
    audit = replace(audit, yardstick=other)
    audit = replace(audit, verdict=judge(audit))
    assert audit.verdict.label == "no-yardstick"
    page = page_of(audit)
    printed = page[page.index('class="printed"') : page.index('id="duplicates"')]
    assert "Close pairs" in printed
    assert "Without a yardstick, p and q are not available" in printed
    assert "lagged" not in printed
    assert not re.search(r"\b[pq] [0-9]", printed)
    assert "Close only" in page
    assert ">Flag<" not in page
    assert "One row per copied training image" not in page
    assert '"comparable":false' in page
    write_audit(audit, tmp_path / "audit")
    numbers = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert numbers["flagged"] == 40
    assert numbers["accusing"] is False
    for name in ("images.csv", "copied.csv"):
        with (tmp_path / "audit" / name).open(newline="") as file:
            assert {row["accusing"] for row in csv.DictReader(file)} == {"false"}


def test_a_verdict_of_copying_keeps_flags_p_and_q():
    audit = flagged(build_audit(50, copies=0.2, pictures=None), 40)
    audit = replace(audit, verdict=judge(audit))
    page = page_of(audit)
    printed = page[page.index('class="printed"') : page.index('id="duplicates"')]
    assert "Flagged pairs" in printed
    assert re.search(r"\bp [0-9]", printed)
    assert audit.to_dict()["accusing"] is True


SUSPICIOUS = Verdict(label="suspicious", sentence="Three images are near.")
EXACT = Verdict(
    label="copying", sentence="30 are exact copies.", comparable=False, basis=("exact",)
)


def shares(audit, verdict=SUSPICIOUS, **fraction):
    fraction = estimate(**fraction) if fraction else None
    return estimated_share(replace(audit, verdict=verdict, copied_fraction=fraction))


def test_the_estimated_share_has_its_interval():
    audit = build_audit(30, pictures=None)
    result = shares(audit, value=0.05, low=0.041, high=0.06)
    assert "about 5.0 % of the generated images" in result
    assert "(95 % interval: 4.1 to 6.0 %)" in result
    assert "so it may be none" in shares(audit, value=0.001, low=0.0, high=0.01)
    assert "copies: none of the" in shares(audit, value=0.0, low=0.0, high=0.01)
    assert "copies: under 0.01 % of the" in shares(audit, value=1e-6, low=0.0, high=0.01)
    assert "cannot be estimated" in shares(audit)


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(label="open", sentence="Too few images."),
        Verdict(label="open", sentence="Nothing to compare with.", comparable=False),
        Verdict(label="no-yardstick", sentence="No yardstick.", comparable=False),
        Verdict(label="no-sign", sentence="At most 6.0 % are copies."),
        Verdict(label="copying", sentence="About 5.0 % are closer than held-out images ever are."),
        EXACT,
    ],
)
def test_no_share_is_estimated_where_the_data_cannot_tell_or_the_verdict_says_it(verdict):
    audit = build_audit(30, pictures=None)
    assert shares(audit, verdict, value=0.05, low=0.041, high=0.06) == ""
    audit = replace(audit, verdict=verdict)
    assert "Estimated share" not in page_of(audit)
    table = space_table(audit)
    shown = [row[-1] for row in table.rows]
    assert (set(shown) == {"cannot be told"}) == (not verdict.tells_share)


def test_exact_copies_without_a_yardstick_accuse_without_p_and_q():
    audit = replace(flagged(build_audit(50, copies=0.2, pictures=None), 40), verdict=EXACT)
    page = page_of(audit)
    printed = page[page.index('class="printed"') : page.index('id="duplicates"')]
    assert "Close pairs" in printed
    assert not re.search(r"\b[pq] [0-9]", printed)
    assert page.count("p and q are not available") == 3  # table, print view and explanation
    assert "Exact copies need neither" in page
    assert "should be flagged by mistake" not in page
    assert audit.accusing is False


def test_held_out_images_that_are_the_generated_ones_give_no_share_and_no_p():
    rng = np.random.default_rng(0)
    train, generated = rng.normal(size=(2, 80, 16))
    with genmem.audit(generated=generated, train=train, test=generated) as audit:
        page = page_of(audit)
    assert "the held-out images are the generated images, so this says nothing" in page
    assert "Estimated share" not in page
    assert "flagged as a copy" not in page
    assert "Without honest images to compare with, p and q are not available" in page


def test_notes_of_the_copied_fraction_stand_on_the_page():
    rng = np.random.default_rng(0)
    train, generated, test = rng.normal(size=(3, 60, 16))
    with genmem.audit(generated=generated, train=train, test=test) as audit:
        (note,) = audit.copied_fraction.notes
        page = page_of(audit)
    assert f"W{note[1:]}" in page


def test_one_flagged_image_is_worded_as_one():
    audit = replace(flagged(build_audit(30, pictures=None), 1), verdict=SUSPICIOUS)
    sentences = details(audit, copied_images(audit))
    assert "The flagged image repeats 1 training image." in sentences


def test_the_null_distribution_is_explained():
    held_out = " ".join(null_sentences(build_audit(50, pictures=None)))
    assert "Honest images are the held-out images here: 5,000 of them" in held_out
    assert "flipped, cropped to 90 % (centre, top left, top right, bottom left" in held_out
    left_out = " ".join(null_sentences(build_audit(50, test=False, pictures=None)))
    assert "No held-out images were given" in left_out
    one = null_sentences(build_audit(50, names=("pixels",), families=(), pictures=None))
    assert "feature spaces" not in " ".join(one)
    assert "altered copies" not in " ".join(one)


def test_the_page_says_when_it_does_not_show_all_rows(monkeypatch):
    monkeypatch.setattr("genmem.report.audit.images.ROWS", 10)
    page = page_of(build_audit(1200, pictures=None))
    assert "(the 10 most suspicious of 1,200)" in page
    assert "The 10 most suspicious of 1,200" in page


def test_ids_and_notes_are_never_markup():
    audit = build_audit(30, copies=0.5, pictures=None)
    audit = replace(
        audit,
        generated_ids=[f"{EVIL}{row}" for row in range(30)],
        train_ids=[f"{EVIL}{row}\n\u202e" for row in range(1000)],
        classes=[EVIL] * 1000,
        notes=(EVIL,),
        spaces=tuple(replace(space, name=EVIL) for space in audit.spaces),
    )
    page = page_of(audit)
    assert EVIL not in page
    assert page.count("<script") == 3
    assert page.count("<!--") == 0
    assert "\u202e" not in page


def test_the_policy_allows_this_script_this_style_and_pictures_only():
    page = page_of(build_audit(30, pictures=None))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for name, kind in (("script-src", "script"), ("style-src", "style")):
        content = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{name} &#39;sha256-{digest}&#39;;" in policy[1]
    assert policy[1].startswith("default-src &#39;none&#39;; img-src &#39;self&#39; file: data:;")
    assert "unsafe" not in policy[1]
    assert not re.search(r'<[^>]+ (style|on\w+)="', page)
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_the_sentence_on_duplicates_follows_what_was_done_about_them():
    inside, between = build_audit(30, pictures=None).duplicates
    assert duplicates_sentence(inside).endswith("They stay in the audit.")
    assert duplicates_sentence(between).endswith(
        "Their held-out images were left out of the audit."
    )
    some = duplicates_sentence(replace(between, dropped=2))
    assert some.endswith("the held-out images of 2 pairs; the others stay in the audit.")
    one = replace(
        between,
        first=between.first[:1],
        exact=between.exact[:1],
        same=between.same[:1],
        distances=between.distances[:1],
    )
    assert duplicates_sentence(replace(one, dropped=1)).endswith(
        "Its held-out image was left out of the audit."
    )


def test_the_numbers_on_the_page_are_those_of_the_audit():
    audit = build_audit(30, pictures=None)
    page = page_of(audit)
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert match is not None
    rows = json.loads(match[1])["rows"]
    order = page_rows(audit)
    assert rows["row"] == order.tolist()
    assert rows["p"] == audit.p_values[order].tolist()
    assert rows["q"] == audit.q_values[order].tolist()
    assert rows["distance"] == pytest.approx([audit.nearest(row)[3] for row in order], rel=1e-5)


def test_a_set_without_copies_duplicates_or_classes_has_a_page():
    audit = build_audit(30, copies=0.0, classes=False, pictures=None, names=("pixels",))
    page = page_of(replace(flagged(audit, 0), duplicates=(), copied_fraction=None, notes=()))
    assert "None of the 30 generated images" in page
    assert "Copied training images" not in page
    assert "No duplicates were searched for." in page


def test_many_classes_are_summed_up(monkeypatch):
    monkeypatch.setattr("genmem.report.audit.text.CLASSES", 3)
    table = page.class_table(build_audit(30, pictures=None))
    assert table is not None
    assert [row[0] for row in table.rows][-1] == "7 more classes"
    assert table.rows[-1][3] == "700"


@pytest.mark.parametrize("label", ["copying", "suspicious", "no-sign", "no-yardstick", "open"])
def test_the_page_says_what_to_do(label):
    audit = replace(build_audit(20), verdict=Verdict(label=label, sentence="As said."))
    shown = html.unescape(page_of(audit))
    steps = next_steps(
        judged(audit).label, pairs="below", missing="the finding and the notes name it"
    )
    assert steps
    assert all(step in shown for step in steps)
