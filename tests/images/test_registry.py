import re

import numpy as np
import pytest

from genmem.errors import InputError, UsageError
from genmem.images import hash_images, open_images


def test_a_folder_and_its_archives_hold_the_same_images_in_the_same_order(
    files, build_folder, build_zip, build_tar
):
    paths = [
        build_folder(files),
        build_zip(files),
        build_zip(dict(reversed(files.items())), "stored.zip", compression=0),
        build_tar(files),
        build_tar({f"./{name}": content for name, content in files.items()}, "dotted.tar"),
        build_tar(files, "images.tar.gz", "w:gz"),
        build_tar(files, "images.tgz", "w:gz"),
        build_tar(files, "IMAGES.TAR.GZ", "w:gz"),
        build_tar(files, "images.tar.bz2", "w:bz2"),
        build_tar(files, "images.tar.xz", "w:xz"),
    ]
    for path in paths:
        with open_images(path) as source:
            assert source.name == path.name
            ids = [source.id(position) for position in range(len(source))]
            assert ids == sorted(files)
            assert [source.content(i) for i in range(len(ids))] == [files[id] for id in ids]
            assert [source.class_name(i) for i in range(len(ids))] == [
                id.split("/")[0] if "/" in id else None for id in ids
            ]
            assert hash_images(source).hexdigest == hash_images(open_images(paths[0])).hexdigest


def test_litter_of_operating_systems_is_ignored(files, build_folder, build_zip):
    litter = ["Thumbs.db", ".DS_Store", "cat/.hidden.png", ".git/x.png", "__MACOSX/cat/._9.png"]
    both = files | dict.fromkeys(litter, b"?")
    for source in (open_images(build_folder(both)), open_images(build_zip(both))):
        assert [source.id(i) for i in range(len(source))] == sorted(files)
        assert source.non_image_count == 0
        source.close()


@pytest.mark.parametrize("content", [{}, {"notes.md": b"hello", "list.csv": b""}])
def test_a_source_without_any_image_is_refused(
    content, tmp_path, build_folder, build_zip, build_tar
):
    (tmp_path / "folder").mkdir()
    files = "2 other files, such as list.csv" if content else "nothing"
    for path in (build_folder(content), build_zip(content), build_tar(content)):
        with pytest.raises(InputError, match=f"{re.escape(path.name)}: expected .*found {files}"):
            open_images(path)


def test_a_source_is_returned_as_it_is(pixels):
    source = open_images(pixels)
    assert open_images(source) is source


@pytest.mark.parametrize("name", ["missing", "missing.zip", "missing.parquet", "missing.npy"])
def test_a_path_that_is_not_there_is_named_with_what_could_be_given(name, tmp_path):
    with pytest.raises(
        InputError, match=f"{name}: there is no such file or folder. Expected one of: a"
    ):
        open_images(tmp_path / name)


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_text_is_not_the_current_folder(source, build_folder, files, monkeypatch):
    monkeypatch.chdir(build_folder(files))
    with pytest.raises(UsageError, match="images: expected a value, got an empty text"):
        open_images(source)


def test_a_single_image_file_is_not_a_source(tmp_path, files):
    (tmp_path / "a.png").write_bytes(files["a.png"])
    with pytest.raises(InputError, match=r"a\.png: .*give its folder"):
        open_images(tmp_path / "a.png")


@pytest.mark.parametrize("source", [None, 3, b"bytes", object()])
def test_other_things_are_refused_by_their_type(source):
    with pytest.raises(InputError, match=f"got {type(source).__name__}"):
        open_images(source)


def test_one_image_is_a_source(build_folder, files):
    with open_images(build_folder({"a.png": files["a.png"]})) as source:
        assert len(source) == 1


def test_names_are_safe_to_publish(tmp_path, build_folder, files, monkeypatch):
    folder = build_folder(files)
    monkeypatch.chdir(folder)
    assert open_images(".").name == "folder"
    assert open_images(f"{folder}/").name == "folder"
    assert open_images(np.zeros((1, 2, 2, 3), np.uint8)).name == "array"
