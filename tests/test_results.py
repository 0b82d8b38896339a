"""Results in people's hands: numbers, mappings, short texts, tables, plots, folders."""

import copy
import json
import pickle
import re
import sys
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import genmem
from genmem.errors import InputError, NotComputedError, UsageError
from genmem.results import Result, Score, to_json

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(3)
    train, test = rng.integers(0, 256, (2, 60, 12, 12, 3), dtype=np.uint8)
    generated = np.concatenate([train[:10], rng.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)])
    return {"generated": generated, "train": train, "test": test}


@pytest.fixture(scope="module")
def score(images):
    return genmem.score(**images, backbone="pixels")


@pytest.fixture(scope="module")
def audit(images):
    with genmem.audit(**images, backbone="pixels") as result:
        yield result


def result(value, name="fd", **fields):
    return Result(name=name, value=value, n={"generated": 5}, **fields)


def test_a_result_behaves_as_its_number():
    fd, other = result(12.3456), result(2.0, name="kd", notes=("few rows",))
    assert f"{fd:.2f} {fd:8.1f}" == "12.35     12.3"
    assert str(fd) == "12.3456"
    assert json.dumps({"fd": fd}) == '{"fd": 12.3456}'
    assert fd > other
    assert fd != other
    assert fd == 12.3456
    assert result(2.0) == other == 2
    assert len({result(2.0), other, 2.0}) == 1
    assert round(fd, 1) == 12.3
    assert np.mean([fd, other]) == pytest.approx(7.1728)
    assert np.asarray([fd, other]).dtype == np.float64
    for computed in (fd + 1, fd * other, -fd, abs(fd), fd / 2, sum([fd, other])):
        assert type(computed) is float
    assert sorted([fd, other]) == [other, fd]
    assert max(fd, other).name == "fd"
    assert not result(0.0)


def test_a_result_travels_with_all_its_fields():
    given = result(0.0, seed=3, notes=("a", "b"), parts={"tau": 0.1})
    for travelled in (
        copy.copy(given),
        copy.deepcopy(given),
        pickle.loads(pickle.dumps(given)),
        replace(given),
    ):
        assert travelled.to_dict() == given.to_dict()
        assert travelled.name == "fd"
    assert replace(given, value=2.0) + 1 == 3
    assert to_json({"metrics": given})["metrics"]["parts"] == {"tau": 0.1}


def test_a_score_is_a_mapping_of_its_metrics(score):
    assert list(score) == list(score.metrics)
    assert len(score) == len(list(score.items())) > 5
    assert "fd" in score
    assert "mifid" not in score
    assert score.get("mifid") is None
    assert dict(score) == score.metrics
    assert max(score.values()) == max(score.metrics.values())
    assert score == copy.deepcopy(score)
    assert set(score.to_dict()) >= {"metrics", "left_out", "verdict"}


def test_a_metric_that_is_not_there_says_why(score, images):
    with pytest.raises(NotComputedError, match=r"^mifid was left out: it needs a threshold"):
        score["mifid"]
    with pytest.raises(KeyError, match=r"^this score has no metric 'covrage'\. Did you mean cov"):
        score["covrage"]
    few = genmem.score(**images, backbone="pixels", metrics=["fid", "precision"])
    with pytest.raises(NotComputedError, match=r"no metric 'kd'. It has precision, fd\.|fd, prec"):
        few["kd"]
    assert few["fid"] == few["fd"]
    assert "fid" in few


def test_a_result_prints_in_a_few_lines_without_pictures(score, audit):
    assert all(pair.generated_png for pair in score.closest)
    text = repr(score)
    assert text.startswith("Score of array against array, in pixels\n")
    assert score.verdict.sentence in text
    assert len(text) < 1500
    assert len(text.splitlines()) < 12
    assert re.fullmatch(r"<fd [\d,.e+−]+ of 50 generated and 60 train rows>", repr(score["fd"]))
    assert "x89PNG" not in text + repr(score.closest[0]) + repr(score.closest)
    text = repr(audit)
    assert re.search(r"\d+ of 50 generated images flagged at a false-discovery rate of 5 %", text)
    assert len(text) < 700


def assert_is_inline_html(text):
    assert text.startswith("<div")
    assert not re.search(r"<script|<link|<!doctype|https?://|url\(", text)
    assert "data:image/png;base64," in text
    for uri in re.findall(r'src="([^"]*)"', text):
        assert uri.startswith("data:image/")
    # No rule reaches beyond the element.
    style = text[text.index("<style>") + 7 : text.index("</style>")]
    for rule in style.strip().splitlines():
        assert all(
            part.strip().startswith(".genmem-result") for part in rule.split("{")[0].split(",")
        )


def test_a_notebook_shows_a_table_a_verdict_a_histogram_and_pairs(score, audit):
    for shown, columns in ((score, "what it says"), (audit, "nearest training image")):
        text = shown._repr_html_()
        assert_is_inline_html(text)
        assert columns in text
        assert "Copying" in text
        assert text.count("<figure>") == 8
        assert text.count("<img") == 17
        assert len(text) < 200_000


def test_names_in_html_are_escaped(score):
    bad = "<script>alert(1)</script>"
    pair = replace(score.closest[0], generated_id=bad)
    inputs = {**score.inputs, "train": replace(score.inputs["train"], source=bad)}
    text = replace(score, closest=(pair,), inputs=inputs)._repr_html_()
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_plots_draw_on_given_axes_or_on_their_own(score, audit):
    for shown in (score, audit):
        _, axes = plt.subplots(2)
        assert shown.plot_distances(axes[0]) is axes[0]
        assert axes[0].get_xlabel()
        names = [text.get_text() for text in axes[0].get_legend().get_texts()]
        assert names[0] == "generated (50)"
        assert names[1].startswith("held-out (60)")
        assert shown.plot_pairs(axes[1], count=3) is axes[1]
        assert len(axes[1].images) == 6
        assert shown.plot_pairs(ax=None).figure is not axes[1].figure
        assert len(shown.plot().axes) == 2


def test_the_drawn_pairs_are_the_closest_ones(score):
    axes = score.plot_pairs(count=2)
    for drawn, content in zip(
        axes.images, (score.closest[0].train_png, score.closest[0].generated_png), strict=False
    ):
        with open_png(content) as expected:
            assert np.array_equal(drawn.get_array()[..., :3], np.asarray(expected))
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == [f"{pair.distance:.3g}" for pair in score.closest[:2]]


def open_png(content):
    import io

    return Image.open(io.BytesIO(content))


def test_what_cannot_be_drawn_says_why(images, audit):
    rows = {role: one.reshape(len(one), -1).astype(np.float32) for role, one in images.items()}
    of_features = genmem.score(**rows, metrics=["fd"])
    with pytest.raises(UsageError, match="no pictures: features were given"):
        of_features.plot_pairs()
    assert len(of_features.plot().axes) == 1
    assert "<figure>" not in of_features._repr_html_()
    with pytest.raises(UsageError, match="ax: expected matplotlib axes or None, got int"):
        of_features.plot_distances(3)
    with pytest.raises(UsageError, match="space: unknown space 'pixel'"):
        audit.plot_distances(space="pixel")


def test_a_closed_audit_still_shows_its_numbers(images, tmp_path):
    np.save(tmp_path / "g.npy", images["generated"])
    with genmem.audit(**images | {"generated": tmp_path / "g.npy"}, backbone="pixels") as audit:
        pass
    assert "<figure>" not in audit._repr_html_()
    with pytest.raises(UsageError, match="it is closed"):
        audit.plot_pairs()


def test_a_score_is_saved_and_loaded_whole(score, tmp_path):
    score.save(tmp_path / "run")
    loaded = Score.load(tmp_path / "run")
    assert loaded == score
    assert loaded.to_dict() == score.to_dict()
    assert loaded.closest == score.closest
    assert loaded.left_out == score.left_out
    assert loaded["kid"].interval == score["kid"].interval
    for role, distances in score.nearest.items():
        assert np.array_equal(loaded.nearest[role], distances)
    assert repr(loaded) == repr(score)
    assert loaded._repr_html_() == score._repr_html_()
    assert "report.html" in {path.name for path in (tmp_path / "run").iterdir()}
    loaded.save(tmp_path / "run")  # again, in its place
    assert Score.load(str(tmp_path / "run")).to_dict() == score.to_dict()


def test_a_score_of_several_spaces_shows_and_saves_them_all(images, tmp_path):
    several = genmem.score(**images, backbone=["pixels", "pixels@8"], metrics=["fd", "kd"])
    with pytest.raises(NotComputedError, match=r"take score\.spaces\['pixels'\]\['fd'\]"):
        several["fd"]
    assert re.search(r"pixels: fd .*\npixels@8: fd ", repr(several))
    assert_is_inline_html(several._repr_html_())
    assert len(several.plot().axes) == 2
    several.save(tmp_path / "run")
    loaded = Score.load(tmp_path / "run")
    assert loaded.to_dict() == several.to_dict()
    assert loaded._repr_html_() == several._repr_html_()
    assert loaded.spaces["pixels@8"].closest == several.spaces["pixels@8"].closest


def test_a_score_is_loaded_from_the_json_of_the_command(score, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(score.to_dict()), encoding="utf-8")
    loaded = Score.load(tmp_path / "a.json")
    assert loaded.to_dict() == score.to_dict()
    with pytest.raises(UsageError, match="no distances to draw"):
        loaded.plot_distances()
    assert loaded._repr_html_()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("score.json", b"{"),
        ("score.json", b"[]"),
        ("score.json", b'{"metrics": {"fd": 3}}'),
        ("score.json", b'{"metrics": {"fd": {"value": "x", "n": {}}}}'),
        ("distances.npz", b"no zip"),
        ("distances.npz", None),
    ],
)
def test_a_damaged_score_is_refused_in_one_line(score, tmp_path, name, content):
    score.save(tmp_path / "run")
    if content is None:
        np.savez(tmp_path / "run" / name, generated=np.array([{}], dtype=object))
    else:
        (tmp_path / "run" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"expected a score|cannot be read") as caught:
        Score.load(tmp_path / "run")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        Score.load(tmp_path / "nothing")


def test_a_folder_of_other_files_is_left_alone(score, tmp_path):
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="expected an empty folder"):
        score.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_pandas_is_named_where_it_is_missing(score, audit, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for shown in (score, audit):
        with pytest.raises(UsageError, match="to_pandas needs pandas: pip install pandas"):
            shown.to_pandas()


def test_a_result_becomes_a_data_frame(score, audit):
    pytest.importorskip("pandas")
    frame = score.to_pandas()
    assert list(frame.index) == list(score)
    assert frame.loc["fd", "value"] == score["fd"]
    assert frame.loc["fd", "n_train"] == 60
    assert np.isnan(frame.loc["precision", "low"])
    assert frame.loc["copied_fraction", "low"] == score["copied_fraction"].interval.low
    frame = audit.to_pandas()
    assert frame["flagged"].tolist() == audit.flagged.tolist()
    assert frame["nearest"][0] == "000000"
