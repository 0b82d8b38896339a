"""Every command prints in every encoding, and files are UTF-8 whatever the locale."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import typer
from PIL import Image

from genmem.cli.app import run
from genmem.cli.commands import app


def commands_below(command, names=()):
    """The names of every command, as lists of words."""
    yield list(names)
    for name, child in getattr(command, "commands", {}).items():
        yield from commands_below(child, (*names, name))


COMMANDS = list(commands_below(typer.main.get_command(app)))


def run_in(encoding, arguments, monkeypatch):
    """Exit code, stdout and stderr of a command line whose streams have the encoding."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("out", "err")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, f"std{name}", stream)
    code = run([str(argument) for argument in arguments])
    for stream in streams.values():
        stream.flush()
    texts = [stream.buffer.getvalue().decode(encoding) for stream in streams.values()]
    return code, *texts


@pytest.fixture
def copied(tmp_path):
    """Folders of training, held-out and generated images with names beyond Latin-1."""
    images = np.random.default_rng(0).integers(0, 256, (150, 8, 8, 3), dtype=np.uint8)
    images[100:130] = images[:30]  # generated images that are copies
    folders = {}
    for place, name in enumerate(("train", "test", "generated")):
        folders[name] = tmp_path / f"{name} 中é"
        folders[name].mkdir()
        for number, image in enumerate(images[50 * place : 50 * (place + 1)]):
            Image.fromarray(image).save(folders[name] / f"ü中{number}.png")
    return folders


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_prints_in_every_encoding(command, encoding, monkeypatch):
    code, out, err = run_in(encoding, [*command, "--help"], monkeypatch)
    assert (code, err) == (0, "")
    assert "--help" in out


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_score_prints_its_table_in_every_encoding(copied, tmp_path, encoding, monkeypatch):
    arguments = [
        *("score", copied["generated"], "--train", copied["train"], "--test", copied["test"]),
        *("--backbone", "pixels", "--json", tmp_path / "s.json", "--report", tmp_path / "s.html"),
    ]
    code, out, err = run_in(encoding, arguments, monkeypatch)
    assert code == 0
    assert "Traceback" not in err
    assert "memorization" in out.lower()
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["metrics"]
    assert "中é" in (tmp_path / "s.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_audit_prints_names_in_every_encoding(copied, tmp_path, encoding, monkeypatch):
    arguments = [
        *("audit", copied["generated"], "--train", copied["train"], "--test", copied["test"]),
        *("--backbone", "pixels", "--out", tmp_path / "audit"),
    ]
    code, out, err = run_in(encoding, arguments, monkeypatch)
    assert code == 0
    assert "Traceback" not in err
    assert r"\u4e2d0.png" in out
    assert "ü中0.png" in (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")


def test_an_error_prints_in_every_encoding(copied, monkeypatch):
    code, _, err = run_in("ascii", ["score", "中é", "--train", "τ"], monkeypatch)
    assert code == 2
    assert err.startswith("genmem: \\u4e2d\\xe9: ")


def test_a_real_process_in_the_c_locale_prints_all_of_it():
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    process = subprocess.run(
        [sys.executable, "-c", "from genmem.cli.app import main; main()", "backbones"],
        capture_output=True,
        env=environment,
        check=True,
    )
    assert process.stdout.decode("ascii").count("efficientnet-lite0")
    assert process.stderr == b""
