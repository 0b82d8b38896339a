"""Bad input through the real command: one clear line, exit code 2 or 3, nothing half-written."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run


def png(size=(8, 8), seed=0):
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def train(tmp_path):
    folder = tmp_path / "train"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(png(seed=number))
    return folder


@pytest.fixture
def genmem(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty cache; (exit code, stdout, stderr)."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def command(*arguments, backbone="pixels"):
        code = run([*map(str, arguments), "--backbone", backbone])
        return code, *capsys.readouterr()

    return command


def empty_folder(path):
    path.mkdir()
    return path, ["expected images"]


def truncated_jpeg(path):
    path.mkdir()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, format="JPEG")
    (path / "fine.jpg").write_bytes(buffer.getvalue())
    (path / "torn.jpg").write_bytes(buffer.getvalue()[:-40])
    return path, ["torn.jpg", "--skip-broken"]


def truncated_png(path):
    path.mkdir()
    (path / "fine.png").write_bytes(png())
    (path / "torn.png").write_bytes(png()[:-60])
    return path, ["torn.png", "--skip-broken"]


def text_among_images(path):
    path.mkdir()
    (path / "fine.png").write_bytes(png())
    (path / "labels.csv").write_text("0 cat\n")
    return path, ["labels.csv", "--skip-broken"]


def text_that_claims_to_be_an_image(path):
    path.mkdir()
    (path / "fine.png").write_bytes(png())
    (path / "liar.png").write_text("not a picture")
    return path, ["liar.png"]


def mixed_sizes_for_pixels(path):
    path.mkdir()
    (path / "a.png").write_bytes(png())
    (path / "b.png").write_bytes(png(size=(9, 9)))
    return path, ["b.png", "size"]


def zip_bomb(path):
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(300 * 2**20))
    return path, ["generated.zip", "zip bomb"]


def decompression_bomb(path):
    path.mkdir()
    Image.new("1", (20_000, 20_000)).save(path / "huge.png")
    return path, ["huge.png", "pixels"]


def path_traversal_in_a_zip(path):
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.png", png())
    return path, ["evil.png"]


def path_traversal_in_a_tar(path):
    path = path.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("/etc/evil.png")
        entry.size = len(png())
        archive.addfile(entry, io.BytesIO(png()))
    return path, ["evil.png"]


def not_a_zip(path):
    path = path.with_suffix(".zip")
    path.write_bytes(b"hello")
    return path, ["generated.zip"]


def features_with_nan(path):
    path = path.with_suffix(".npy")
    rows = np.ones((5, 192), dtype=np.float32)
    rows[3, 7] = np.nan
    np.save(path, rows)
    return path, ["generated.npy", "3"]


def features_with_infinity(path):
    path = path.with_suffix(".npz")
    rows = np.ones((5, 192), dtype=np.float32)
    rows[2, 0] = np.inf
    np.savez(path, rows)
    return path, ["generated.npz", "2"]


def pickled_array(path):
    path = path.with_suffix(".npy")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path, ["generated.npy"]


def one_image_only(path):
    path.mkdir()
    (path / "single.png").write_bytes(png())
    return path, ["at least 2", "got 1"]


def missing_source(path):
    return path, ["no such file or folder"]


@pytest.mark.parametrize(
    "make",
    [
        empty_folder,
        truncated_jpeg,
        truncated_png,
        text_among_images,
        text_that_claims_to_be_an_image,
        mixed_sizes_for_pixels,
        zip_bomb,
        decompression_bomb,
        path_traversal_in_a_zip,
        path_traversal_in_a_tar,
        not_a_zip,
        features_with_nan,
        features_with_infinity,
        pickled_array,
        one_image_only,
        missing_source,
    ],
    ids=lambda make: make.__name__,
)
def test_bad_input_is_one_line_that_names_the_file_and_leaves_nothing_behind(
    make, train, genmem, tmp_path
):
    source, words = make(tmp_path / "generated")
    outputs = ["--json", "out.json", "--report", "out.html"]
    code, out, err = genmem("score", source, "--train", train, *outputs)
    lines = [line for line in err.splitlines() if line.startswith("genmem:")]
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines[0]
    assert not list(tmp_path.glob("out*"))
    assert not (tmp_path.parent / "evil.png").exists()


def test_skip_broken_continues_and_counts_the_skipped_images(train, genmem, tmp_path):
    source, _ = truncated_png(tmp_path / "generated")
    (source / "other.png").write_bytes(png(seed=5))
    code, _, err = genmem("score", source, "--train", train, "--skip-broken")
    assert code == 0
    assert "1 file of generated that cannot be read as an image was left out" in err


def test_mixed_sizes_are_fine_for_a_backbone_that_resizes(train, genmem, tmp_path):
    mixed_sizes_for_pixels(tmp_path / "generated")
    code, out, err = genmem(
        *("score", "generated", "--train", train, "--metrics", "memorization_distance"),
        backbone="efficientnet-lite0",
    )
    assert code == 0, err
    assert "memorization_distance" in out


def test_missing_weights_offline_exit_with_3_and_name_file_url_and_alternatives(train, tmp_path):
    offline = {
        "HF_HUB_OFFLINE": "1",
        "GENMEM_WEIGHTS": "",
        "TORCH_HOME": str(tmp_path / "torch"),
        "HOME": str(tmp_path),
        # An address where nobody listens: offline, whatever machine this is.
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    command = [str(Path(sys.executable).parent / "genmem"), "score", train, "--train", train]
    process = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True)
    assert process.returncode == 3
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    for word in ("weights-inception-2015-12-05-6726825d.pth", "https://", "efficientnet-lite0"):
        assert word in process.stderr
