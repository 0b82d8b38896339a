"""`genmem audit` from files to a folder, and what it refuses."""

import csv
import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from genmem.cli.app import run


def save(images, folder, *, classes=None):
    for number, image in enumerate(images):
        subfolder = folder if classes is None else folder / classes[number]
        subfolder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(subfolder / f"{number:04d}.png")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    small = (load_digits().images * 15.9).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(small))
    digits, targets = small[order], load_digits().target[order]
    names = [f"digit-{target}" for target in targets]
    save(digits[:600], folder / "train", classes=names[:600])
    save(digits[600:900], folder / "test")
    save(np.concatenate([digits[900:1100], digits[:15]]), folder / "generated")
    return folder


@pytest.fixture
def genmem(sets, tmp_path, monkeypatch, capsys):
    """Run `genmem audit` on the digits in pixel space; (exit code, stdout, stderr)."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(sets)

    def command(*arguments):
        options = [*map(str, arguments)]
        if "--backbone" not in options:
            options += ["--backbone", "pixels@8"]
        code = run(["audit", *options])
        return code, *capsys.readouterr()

    return command


def test_an_audit_leaves_page_tables_and_pictures(genmem, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = genmem(
        "generated", "--train", "train", "--test", "test", "--classes", "--out", out
    )
    assert code == 0, stderr
    assert "of 215 generated images are flagged as copies" in stdout
    assert "plan: pixels@8:" in stderr
    rows = parquet.read_table(out / "images.parquet").to_pylist()
    assert len(rows) == 215
    copies = rows[200:]
    assert all(row["flagged"] for row in copies)
    assert [row["nearest"].split("/")[1] for row in copies] == [f"{n:04d}.png" for n in range(15)]
    assert all(row["distance"] == 0 for row in copies)
    with (out / "copied.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert {row["class"] for row in listed} <= {f"digit-{digit}" for digit in range(10)}
    numbers = json.loads((out / "audit.json").read_text())
    assert numbers["kind"] == "genmem audit"
    assert numbers["copied_fraction"]["interval"]["low"] > 0
    assert (out / "audit.html").is_file()
    assert any((out / "pictures" / "generated").iterdir())


def test_costs_are_printed_before_anything_else(genmem, tmp_path):
    _, _, stderr = genmem(
        "generated", "--train", "train", "--augment", "flip,crops", "--out", tmp_path / "out"
    )
    lines = [line for line in stderr.splitlines() if line.startswith("plan:")]
    assert lines[0].startswith("plan: pixels@8: 7,415 images to embed")
    assert any("with 7,200 training rows" in line for line in lines)


def test_without_held_out_images_a_note_says_what_the_p_values_mean(genmem, tmp_path):
    code, _, stderr = genmem("generated", "--train", "train", "--out", tmp_path / "out")
    assert code == 0
    assert "note: no held-out images were given (--test)" in stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--train", "train"], "nowhere"),
        (
            ["generated", "--train", "train", "--augment", "spin"],
            "expected some of flip, vflip, crops",
        ),
        (["generated", "--train", "train", "--level", "2"], "between 0 and 1"),
        (["generated", "--train", "train", "--backbone", "pixls"], "did you mean pixels"),
        (
            ["generated", "--train", "train", "--backbone", ""],
            "expected a value, got an empty text",
        ),
        (["generated", "--train", "test", "--classes"], "a folder of its own"),
        (["generated", "--train", "train", "--weights", "w"], "no weights"),
    ],
)
def test_a_bad_call_is_one_line_and_leaves_no_files(genmem, tmp_path, arguments, message):
    code, stdout, stderr = genmem(*arguments, "--out", tmp_path / "out")
    assert code == 2
    assert stdout == ""
    assert stderr.splitlines()[-1].startswith("genmem: ")
    assert message in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert not (tmp_path / "out" / "audit.html").exists()


def test_an_output_directory_inside_an_input_is_refused(genmem, sets):
    code, _, stderr = genmem("generated", "--train", "train", "--out", "train/audit")
    assert code == 2
    assert "lies inside --train" in stderr
    assert not (sets / "train" / "audit").exists()


def test_a_folder_with_other_files_is_refused(genmem, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, stderr = genmem("generated", "--train", "train", "--out", tmp_path)
    assert code == 2
    assert "expected an empty folder or one with an earlier audit" in stderr


def test_an_output_that_is_not_a_folder_is_refused_before_the_work(genmem, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for out, message in (("", "got an empty text"), (tmp_path / "link", "is a broken link")):
        code, _, stderr = genmem("generated", "--train", "train", "--out", out)
        assert code == 2
        assert message in stderr
        assert "plan:" not in stderr


def test_missing_weights_end_with_exit_code_three(genmem, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    # An address where nobody listens: offline, whatever machine this is.
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    code, _, stderr = genmem(
        "generated", "--train", "train", "--backbone", "inception,pixels", "--out", tmp_path / "out"
    )
    assert code == 3
    assert "Backbones that work right now" in stderr


def test_the_help_names_every_augmentation():
    from genmem.cli.audit import AUGMENTATIONS as NAMES
    from genmem.images import AUGMENTATIONS

    assert (*AUGMENTATIONS, "all") == NAMES
