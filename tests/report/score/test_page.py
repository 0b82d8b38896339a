import base64
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from genmem.errors import UsageError
from genmem.report import write_report
from genmem.report.score.page import render
from genmem.results import InputSummary, Pair

VOID = {"meta", "link", "img", "line", "path"}


class Elements(HTMLParser):
    """All elements with their attributes, and the text; fails on tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def text_of(page):
    return " ".join("".join(Elements(page).text).split())


def test_the_page_asks_for_nothing_and_runs_nothing(make_score):
    page = render(make_score())
    elements = Elements(page)
    for _, attributes in elements.found:
        for name in ("src", "href", "action", "srcset", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
        assert not any(name.startswith("on") for name in attributes)
    assert elements.all("script") == []
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for a in elements.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_the_page_holds_verdict_numbers_histogram_gallery_and_provenance(make_score):
    score = make_score()
    text = text_of(render(score))
    assert "samples.zip against train.zip" in text
    assert "Nearer to the training set as a whole than held-out images are" in text
    for name in score.metrics:
        assert name in text
    assert "36 training images are duplicates." in text
    assert "τ 0.1 (of the mean)" in text
    assert "median" in text
    for summary in score.inputs.values():
        assert summary.digest in text
    for said in ("c0ffee", "1280", "2.15.0", "9 min 41 s", "samples/00017.png"):
        assert said in text


def test_the_page_shows_intervals_and_says_how_they_were_made(make_score):
    text = text_of(render(make_score()))
    assert "5.0 % 4.5 to 5.6 %" in text
    assert "12.35 11.9 to 12.8" in text
    assert "How the intervals were computed" in text
    assert "copied_fraction: 95 %, exact: beta-binomial inversion" in text
    assert "fd: 95 %, bootstrap" in text
    bare = render(make_score(metrics={"kd": make_score()["kd"]}))
    assert "How the intervals were computed" not in text_of(bare)


def test_tables_have_captions_and_scoped_headers(make_score):
    elements = Elements(render(make_score()))
    assert len(elements.all("caption")) == len(elements.all("table"))
    assert all(header["scope"] in ("col", "row") for header in elements.all("th"))


def test_the_gallery_shows_24_pairs_with_their_pictures_unchanged(make_score):
    score = make_score()
    shown = Elements(render(score)).all("img")
    assert len(shown) == 48
    assert all(image["alt"] and image["class"] == "small" for image in shown)
    assert (shown[0]["width"], shown[0]["height"]) == ("32", "32")
    head, _, data = shown[1]["src"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == score.closest[0].train_png


def test_large_images_are_smoothed_when_resized(make_score):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((200, 300, 3), dtype=np.uint8)).save(buffer, format="PNG")
    pair = Pair(generated_id="a", train_id="b", distance=0.1, generated_png=buffer.getvalue())
    (image,) = Elements(render(make_score(closest=(pair,)))).all("img")
    assert "class" not in image
    assert (image["width"], image["height"]) == ("300", "200")


def test_file_names_and_notes_are_never_taken_for_markup(make_score):
    evil = '"><script>alert(1)</script>\u202e'
    score = make_score()
    page = render(
        replace(
            score,
            inputs={
                **score.inputs,
                "generated": InputSummary(
                    source=evil, kind="images", count=1, digest="00", skipped=(evil,)
                ),
            },
            notes=(evil,),
            closest=tuple(replace(p, generated_id=evil, train_id=evil) for p in score.closest),
            provenance={evil: evil},
        )
    )
    assert "<script" not in page
    assert "\u202e" not in page
    assert Elements(page).all("script") == []


def test_no_folder_of_this_machine_is_named(make_score, tmp_path):
    score = make_score()
    backbone = {**score.backbone, "name": "/home/ann/secret/net.onnx"}
    page = render(replace(score, backbone=backbone))
    assert "secret" not in page
    assert "net.onnx" in page
    assert not re.search(r"[\"'> ]/(home|root|tmp|work|usr)/", page)


def test_features_without_pictures_make_a_gallery_of_ids(make_score):
    score = make_score()
    pairs = tuple(replace(p, generated_png=None, train_png=None) for p in score.closest)
    page = render(replace(score, closest=pairs))
    assert Elements(page).all("img") == []
    assert "samples/00000.png" in page


def test_a_score_with_next_to_nothing_in_it_still_makes_a_page(make_score):
    score = make_score()
    inputs = {role: score.inputs[role] for role in ("generated", "train")}
    bare = replace(score, metrics={}, inputs=inputs, nearest={}, closest=(), seconds={})
    bare = replace(bare, verdict=None)
    assert "No verdict on copying" in text_of(render(bare))


def test_fid_is_not_shown_twice(make_score):
    score = make_score()
    metrics = {**score.metrics, "fid": replace(score["fd"], name="fid")}
    text = text_of(render(replace(score, metrics=metrics)))
    assert "FID fid" in text
    assert "Fréchet distance fd " not in text


def test_the_same_score_gives_the_same_bytes(make_score, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(make_score(), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_file_name_that_is_no_utf8_does_not_stop_the_report(make_score, tmp_path):
    pair = Pair(generated_id=os.fsdecode(b"\xe9.png"), train_id="b", distance=0.1)
    write_report(make_score(closest=(pair,)), tmp_path / "r.html")
    assert "\\udce9.png" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_leaves_nothing(make_score, tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        write_report(make_score(), tmp_path / "none" / "r.html")
    assert list(tmp_path.iterdir()) == []
