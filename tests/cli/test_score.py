"""`genmem score` and `genmem features` from files to stdout, on a few small images."""

import json
import os
import re
import threading

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run

ROWS = 40


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders of 8 × 8 images; `copies` holds those of `train` with their last bits flipped."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    sets = {"train": rng.integers(256, size=(ROWS, 8, 8, 3), dtype=np.uint8)}
    sets["test"] = rng.integers(256, size=(ROWS, 8, 8, 3), dtype=np.uint8)
    sets["generated"] = rng.integers(256, size=(ROWS, 8, 8, 3), dtype=np.uint8)
    sets["copies"] = sets["train"] ^ 1
    for name, images in sets.items():
        (tmp_path / name).mkdir()
        for position, pixels in enumerate(images):
            Image.fromarray(pixels).save(tmp_path / name / f"{position:03d}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMON = ["--train", "train", "--test", "test", "--backbone", "pixels"]


def test_json_on_stdout_is_one_object_and_nothing_else(folders, capsys):
    assert run(["score", "generated", *COMMON, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"metrics", "inputs", "backbone", "provenance", "seconds"} <= set(document)
    assert document["inputs"]["generated"]["count"] == ROWS
    assert "value" in document["metrics"]["fd"]


def test_copies_are_called_copies_in_the_table_and_the_report(folders, capsys):
    assert run(["score", "copies", *COMMON, "--report", "r.html", "--json", "s.json"]) == 0
    assert capsys.readouterr().out.startswith("Copying: ")
    page = (folders / "r.html").read_text(encoding="utf-8")
    assert "this generator copies its training data" in page
    assert str(folders) not in page
    assert str(folders) not in (folders / "s.json").read_text()


def test_a_set_compared_with_itself_is_reported(folders, capsys):
    assert run(["score", "train", *COMMON]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Open: The generated and the training images are the same set")
    assert "note: generated and train are the same set" in captured.err


def test_only_the_requested_metrics_are_computed(folders, capsys):
    arguments = ["score", "generated", *COMMON, "--metrics", "fd, authpct", "--json", "-"]
    assert run(arguments) == 0
    assert list(json.loads(capsys.readouterr().out)["metrics"]) == ["authpct", "fd"]


def test_metrics_have_aliases_and_any_case(folders, capsys):
    arguments = ["score", "generated", *COMMON, "--metrics", "FID, kid,AuthPct", "--json", "-"]
    assert run(arguments) == 0
    assert list(json.loads(capsys.readouterr().out)["metrics"]) == ["authpct", "fd", "kd"]


def test_an_unknown_metric_is_named_as_it_was_given(folders, capsys):
    assert run(["score", "generated", *COMMON, "--metrics", "FD,Fidd"]) == 2
    assert "unknown metric 'Fidd'" in capsys.readouterr().err


def test_the_notes_of_metrics_are_printed_once_with_the_names_of_all_that_share_them(
    folders, capsys
):
    arguments = ["score", "generated", *COMMON, "--tau", "0.1"]
    for extra in range(3):  # a larger training set, so that four metrics take a part of it
        pixels = np.full((8, 8, 3), 80 * extra + 7, dtype=np.uint8)
        pixels[extra] = 255
        Image.fromarray(pixels).save(folders / "train" / f"more{extra}.png")
    assert run(arguments) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(notes) == len(set(notes))
    assert any(line.startswith("note: precision, recall, density, coverage: ") for line in notes)
    assert any(re.match(r"note: fd\b[\w, ]*: generated \(40 rows\)", line) for line in notes)


def test_exact_copies_are_called_copies_in_the_table(folders, capsys):
    copy = (folders / "train" / "000.png").read_bytes()
    (folders / "generated" / "000.png").write_bytes(copy)
    assert run(["score", "generated", *COMMON, "--metrics", "nn_quantiles"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert output.startswith("Copying: 1 of 40 generated images is an exact copy")


def test_a_single_held_out_image_gives_no_all_clear(folders, capsys):
    for other in sorted((folders / "test").iterdir())[1:]:
        other.unlink()
    assert run(["score", "generated", *COMMON]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "No sign of copying" not in output
    assert "too few images (1 held-out image; 20 of each kind are needed)" in output


def test_json_down_a_named_pipe_leaves_the_pipe_there(folders, capsys):
    os.mkfifo(folders / "pipe.json")
    read = []
    reader = threading.Thread(
        target=lambda: read.append((folders / "pipe.json").read_bytes()), daemon=True
    )
    reader.start()
    arguments = ["score", "generated", *COMMON, "--metrics", "fd", "--json", "pipe.json"]
    assert run(arguments) == 0
    reader.join(timeout=20)
    assert list(json.loads(read[0])["metrics"]) == ["fd"]
    assert (folders / "pipe.json").is_fifo()


def test_features_reports_the_download_of_weights(folders, monkeypatch, capsys):
    import genmem.features as module

    callbacks = []
    load = module.load_backbone

    def record(name, **options):
        callbacks.append(options["progress"])
        return load(name, **options)

    monkeypatch.setattr(module, "load_backbone", record)
    assert run(["features", "generated", "--backbone", "pixels", "--out", "g.npy"]) == 0
    assert callable(callbacks[0])


def test_a_truncated_image_stops_the_score_and_leaves_no_file(folders, capsys):
    broken = folders / "generated" / "007.png"
    broken.write_bytes(broken.read_bytes()[:90])
    assert run(["score", "generated", *COMMON, "--report", "r.html", "--json", "s.json"]) == 2
    last_line = capsys.readouterr().err.splitlines()[-1]
    assert last_line.startswith("genmem: ")
    assert "007.png" in last_line
    assert "--skip-broken" in last_line
    assert not (folders / "r.html").exists()
    assert not (folders / "s.json").exists()


def test_skip_broken_continues_and_counts_the_skipped_images(folders, capsys):
    broken = folders / "generated" / "007.png"
    broken.write_bytes(broken.read_bytes()[:90])
    assert run(["score", "generated", *COMMON, "--skip-broken", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["inputs"]["generated"]["skipped"] == ["007.png"]
    assert "1 file of generated that cannot be read as an image was left out" in captured.err


def test_saved_features_score_as_their_images_do(folders, capsys):
    for name in ("generated", "train"):
        assert run(["features", name, "--backbone", "pixels", "--out", f"{name}.npy"]) == 0
    assert "generated.npy: 40 rows of 192 features" in capsys.readouterr().out
    beside = json.loads((folders / "train.ids.json").read_text())
    assert beside["ids"][:2] == ["000.png", "001.png"]
    assert beside["source"] == "train"
    values = []
    for suffix in ("", ".npy"):
        arguments = ["score", f"generated{suffix}", "--train", f"train{suffix}"]
        arguments += ["--backbone", "pixels", "--metrics", "memorization_distance", "--json", "-"]
        assert run(arguments) == 0
        document = json.loads(capsys.readouterr().out)
        values.append(document["metrics"]["memorization_distance"]["value"])
    assert values[0] == pytest.approx(values[1], rel=1e-6)
