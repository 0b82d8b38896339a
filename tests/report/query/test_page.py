"""The table and the page of `genmem query`, as a user sees them."""

import json

import numpy as np
import pytest
from PIL import Image

from genmem import build_reference
from genmem.cli.app import run

from ..browser import needs_chromium, overflow, visited


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """References with and without pictures and held-out images, and images to ask."""
    folder = tmp_path_factory.mktemp("query")
    rng = np.random.default_rng(0)
    for name, count in (("train", 30), ("test", 25), ("asked", 1)):
        (folder / name).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    copied = (folder / "train" / "04.png").read_bytes()
    (folder / "asked" / "<b>.png").write_bytes(copied)
    train = {"train": folder / "train", "backbone": "pixels@8"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENMEM_CACHE", str(folder / "cache"))
        build_reference(**train, test=folder / "test", out=folder / "train.genmem")
        build_reference(**train, images=False, out=folder / "bare.genmem")
        yield folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_the_terminal_names_the_copy_and_the_share_of_held_out_images(capsys):
    assert run(["query", "asked/<b>.png", "asked/00.png", "--train", "train.genmem"]) == 0
    captured = capsys.readouterr()
    first, second, *table = captured.out.splitlines()
    assert first == "asked/<b>.png is byte for byte training image 04.png."
    assert "held-out images" in second
    assert "identical" in "".join(table)
    assert sum(line.startswith("asked/") for line in table) == 2


def test_json_holds_what_the_table_shows(capsys):
    asked = ["query", "asked", "--train", "train.genmem", "--neighbors", "2", "--json", "-"]
    assert run(asked) == 0
    document = json.loads(capsys.readouterr().out)
    new, copy = document["images"]
    assert (new["id"], copy["id"], copy["identical"]) == ("00.png", "<b>.png", ["04.png"])
    assert [len(image["spaces"][0]["neighbors"]) for image in (new, copy)] == [2, 2]
    assert document["provenance"]["reference"]["name"] == "train.genmem"


def test_without_held_out_images_and_pictures_this_is_said(folder, capsys):
    asked = ["query", "asked/00.png", "--train", "bare.genmem", "--report", "bare.html"]
    assert run(asked) == 0
    captured = capsys.readouterr()
    assert "Whether that is unusually close cannot be judged." in captured.out
    assert "the reference has no held-out images" in captured.err
    page = (folder / "bare.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 1
    assert "was made without them (--no-images)" in page


@needs_chromium
def test_the_page_shows_each_image_beside_its_neighbors(folder, browser, capsys):
    asked = ["query", "asked", "--train", "train.genmem", "--report", "q.html"]
    assert run([*asked, "--neighbors", "3"]) == 0
    for width in (1280, 400):
        with visited(browser, folder / "q.html", width=width) as (page, complaints):
            images = page.locator("img")
            assert images.count() == 2 * (1 + 3)
            assert images.evaluate_all("all => all.every(one => one.naturalWidth === 24)")
            assert page.locator("h2 code").all_inner_texts() == ["00.png", "<b>.png"]
            finding = page.locator(".finding.copying")
            assert finding.inner_text() == "This image is byte for byte training image 04.png."
            assert overflow(page) <= 0
            assert complaints == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "asked", "--train", "train"], "expected a reference, got train. Make one"),
        (["query", "none.png", "--train", "train.genmem"], "there is no such file"),
        (["query", "asked", "train", "--train", "train.genmem"], "Expected image files, or one"),
        (
            ["query", "asked", "--train", "train.genmem", "--backbone", "sscd"],
            "no features of sscd",
        ),
        (["query", "asked", "--train", "train.genmem", "--report", "q.txt"], "q.txt"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert run(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
