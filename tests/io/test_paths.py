import tempfile
from pathlib import Path

import numpy as np
import pytest

from genmem.errors import UsageError
from genmem.images import open_images
from genmem.io.atomic import atomic_write, check_folder_writable, check_writable
from genmem.io.paths import expand_home, refuse_empty, to_path

from ..environments import full_disk as full_disk
from ..environments import no_home as no_home


def test_a_home_directory_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert expand_home("~/x") == Path("/somewhere/x")
    assert expand_home("a/~") == Path("a/~")


def test_without_a_home_directory_a_path_stays_as_it_is(no_home):
    with pytest.raises(RuntimeError):  # what would happen without the function
        Path("~/x").expanduser()
    assert expand_home("~/x") == Path("~/x")


FULL = r"cannot write temporary files in .* \(no space left on device\)\. Make room"


def save_npz(path):
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8))
    return path


def iterable(folder):
    return iter([np.zeros((300, 300, 3), np.uint8)])


@pytest.mark.parametrize("source", [lambda folder: save_npz(folder / "x.npz"), iterable])
def test_a_full_disk_of_temporary_files_is_named_and_not_the_input(tmp_path, full_disk, source):
    images = source(tmp_path)
    with full_disk(), pytest.raises(UsageError, match=FULL):
        open_images(images)


def test_a_full_disk_of_temporary_files_is_not_a_fault_of_the_output(tmp_path, full_disk):
    with (
        full_disk(),
        pytest.raises(UsageError, match=FULL),
        atomic_write("/dev/null") as file,  # spooled in a temporary file
    ):
        file.write(bytes(1 << 20))


def test_no_folder_for_temporary_files_is_one_line(tmp_path, monkeypatch):
    source = save_npz(tmp_path / "x.npz")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nonexistent"])
    with pytest.raises(UsageError, match=r"cannot write temporary files in any of the system's"):
        open_images(source)


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_an_empty_text_is_no_path(text):
    for refuse in (refuse_empty, to_path):
        with pytest.raises(UsageError, match="train: expected a value, got an empty text"):
            refuse(text, name="train")
    with pytest.raises(UsageError, match="the output file: expected a value"):
        check_writable(text)
    with pytest.raises(UsageError, match="the output directory: expected a value"):
        check_folder_writable(text)


def test_every_other_path_is_as_it_was():
    assert to_path("a b", name="x") == Path("a b")
    assert to_path(".", name="x") == to_path(Path(), name="x") == Path()
    refuse_empty(None, name="x")
