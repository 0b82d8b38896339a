import os
import sys

import pytest

from genmem.errors import InputError
from genmem.images import open_images


def test_links_to_files_and_folders_are_followed(files, build_folder):
    folder = build_folder({"cat/9.png": files["a.png"]}, "links")
    elsewhere = build_folder({"1.png": files["a.png"]}, "elsewhere")
    (folder / "linked.png").symlink_to(elsewhere / "1.png")
    (folder / "linked").symlink_to(elsewhere)
    source = open_images(folder)
    ids = [source.id(i) for i in range(len(source))]
    assert ids == ["cat/9.png", "linked.png", "linked/1.png"]
    assert {source.content(i) for i in range(3)} == {files["a.png"]}


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_that_leads_back_up_is_refused(target, files, build_folder):
    folder = build_folder(files)
    (folder / "cat" / "again").symlink_to(target)
    with pytest.raises(InputError, match=r"cat/again: this link leads back"):
        open_images(folder)


def test_links_that_lead_to_each_other_are_refused(files, build_folder):
    folder = build_folder({"a/1.png": files["a.png"], "b/2.png": files["a.png"]})
    (folder / "a" / "link").symlink_to(folder / "b")
    (folder / "b" / "link").symlink_to(folder / "a")
    with pytest.raises(InputError, match=r"/(a/link|b/link)/link: this link leads back"):
        open_images(folder)


def test_two_links_to_one_folder_are_two_folders(files, build_folder):
    folder = build_folder({"0.png": files["a.png"]}, "links")
    elsewhere = build_folder({"1.png": files["a.png"]}, "elsewhere")
    for name in ("a", "b"):
        (folder / name).symlink_to(elsewhere)
    source = open_images(folder)
    assert [source.id(i) for i in range(len(source))] == ["0.png", "a/1.png", "b/1.png"]


def test_a_link_to_nothing_is_named(files, build_folder):
    folder = build_folder(files)
    (folder / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png: neither a file nor a folder"):
        open_images(folder)


def test_a_pipe_is_refused_rather_than_waited_for(files, build_folder):
    folder = build_folder(files)
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png: neither a file nor a folder"):
        open_images(folder)


def test_a_file_gone_since_opening_is_named(files, build_folder):
    folder = build_folder(files)
    source = open_images(folder)
    (folder / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png in .*folder: cannot be read: no such file"):
        source.content(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux file names may be any bytes")
def test_a_name_that_is_no_text_can_be_read_and_printed(files, build_folder):
    folder = build_folder(files)
    (folder / os.fsdecode(b"\xff.png")).write_bytes(files["a.png"])
    source = open_images(folder)
    assert source.id(len(files)) == r"\xff.png"
    assert source.content(len(files)) == files["a.png"]


def test_a_name_cannot_write_on_the_terminal(files, build_folder):
    source = open_images(build_folder({"a\n\x1b[2J.png": files["a.png"]}))
    assert source.id(0) == r"a\n\x1b[2J.png"
    assert source.content(0) == files["a.png"]


def test_an_image_file_too_large_to_be_one_is_refused(files, build_folder):
    folder = build_folder(files)
    with (folder / "a.png").open("wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(InputError, match=r"a\.png in .*: takes 268,435,457 bytes, more than"):
        open_images(folder).content(0)
