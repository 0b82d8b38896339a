import struct
import tarfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.errors import InputError
from genmem.images import limits, open_images

ESCAPES = ["../x.png", "cat/../../x.png", "/etc/x.png", "C:x.png", "..\\x.png", "\\x.png", "C:\\x"]


def add_entry(path, **changes):
    """Append to a tar an entry that is not a plain file."""
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("odd.png")
        for name, value in changes.items():
            setattr(entry, name, value)
        archive.addfile(entry)
    return path


def patch_zip(path, *, header=b"PK\x01\x02", offset, value):
    """Overwrite a field of the last central directory entry."""
    content = bytearray(path.read_bytes())
    begin = content.rfind(header) + offset
    content[begin : begin + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leaves_the_archive_is_refused(name, files, build_zip, build_tar):
    for path in (build_zip(files | {name: b""}), build_tar(files | {name: b""})):
        with pytest.raises(InputError, match=f"{path.name}: points outside the archive"):
            open_images(path)


def test_backslashes_and_folder_entries_of_zips_made_on_windows_are_folders(files, build_zip):
    image = files["a.png"]
    names = {"c0\\": b"", "c0\\1.png": image, "c1\\sub\\": b"", "c1\\sub\\2.png": image}
    with open_images(build_zip(names)) as source:
        assert [source.id(n) for n in range(len(source))] == ["c0/1.png", "c1/sub/2.png"]
        assert [source.class_name(n) for n in range(2)] == ["c0", "c1"]
        assert source.non_image_count == 0
        assert source.content(1) == image


def test_a_folder_without_a_final_slash_is_known_by_its_attribute(files, build_zip):
    path = build_zip({"c0/1.png": files["a.png"]})
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("c1")
        entry.external_attr = 0x10
        archive.writestr(entry, b"")
    with open_images(path) as source:
        assert (len(source), source.non_image_count) == (1, 0)


def test_one_file_named_with_a_slash_and_with_a_backslash_is_refused_as_a_repeat(files, build_zip):
    image = files["a.png"]
    with pytest.raises(InputError, match=r"c0/1\.png is in it twice"):
        open_images(build_zip({"c0/1.png": image, "c0\\1.png": image}))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_backslash_that_may_be_half_of_a_letter_is_refused(kind, files, tmp_path, build_tar):
    """Half of the letter for "table" in Shift-JIS; taken for a folder, it hid the image."""
    path = build_tar({"XX.png": files["a.png"], "b.png": files["a.png"]})
    if kind == "zip":
        path = tmp_path / "images.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("XX.png", "b.png"):
                archive.writestr(name, files["a.png"])
    content = path.read_bytes().replace(b"XX.png", b"\x95\x5c.png")
    header = bytearray(content[:512])
    if kind == "tar":
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header):06o}\0 ".encode()
    path.write_bytes(bytes(header) + content[512:])
    with pytest.raises(InputError, match="is not UTF-8, so its backslash may be half of a letter"):
        open_images(path)


def test_names_in_an_old_encoding_without_a_backslash_are_read(tmp_path, files):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XX.png", files["a.png"])
    path.write_bytes(path.read_bytes().replace(b"XX.png", b"\x95\xfb.png"))
    with open_images(path) as source:
        assert source.content(0) == files["a.png"]


def test_a_name_marked_as_utf_8_that_is_not_is_refused(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("é.png", b"")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(InputError, match="is marked as UTF-8 and is not"):
        open_images(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused(kind, files, build_tar):
    path = add_entry(build_tar(files), type=kind, linkname="/etc/passwd")
    with pytest.raises(InputError, match=r"odd\.png in .*images\.tar: is a link"):
        open_images(path)


def test_a_link_in_a_zip_is_refused(files, build_zip):
    path = build_zip(files)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("link.png")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match=r"link\.png in .*images\.zip: is a link"):
        open_images(path)


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_device_in_a_tar_is_refused(kind, files, build_tar):
    with pytest.raises(InputError, match=r"odd\.png in .*: is not an ordinary file"):
        open_images(add_entry(build_tar(files), type=kind))


def test_an_encrypted_entry_is_refused(files, build_zip):
    path = patch_zip(build_zip({"a.png": files["a.png"]}), offset=8, value=b"\x01\x00")
    with pytest.raises(InputError, match=r"a\.png in .*: is encrypted"):
        open_images(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unbounded_compression_methods_are_refused(method, files, build_zip):
    with pytest.raises(InputError, match="is compressed, but not by deflate"):
        open_images(build_zip(files, compression=method))


def test_a_name_that_occurs_twice_is_refused(tmp_path, files, build_tar):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what is meant here
        archive.writestr("a.png", b"1")
        archive.writestr("a.png", b"2")
    tar = build_tar({"a.png": b"1", "./a.png": b"2"})
    for path in (tmp_path / "twice.zip", tar):
        with pytest.raises(InputError, match=r"a\.png is in it twice"):
            open_images(path)


def test_a_zip_bomb_is_refused(monkeypatch, build_zip):
    monkeypatch.setattr(limits, "RATIO_FLOOR", 2**20)
    path = build_zip({f"{i}.bmp": bytes(2**20) for i in range(4)})
    with pytest.raises(InputError, match=r"images\.zip: .*This looks like a zip bomb"):
        open_images(path)


def test_a_compressed_tar_bomb_is_refused_before_it_fills_the_disk(monkeypatch, build_tar):
    monkeypatch.setattr(limits, "RATIO_FLOOR", 2**20)
    path = build_tar({f"{i}.bmp": bytes(2**20) for i in range(4)}, "images.tar.gz", "w:gz")
    with pytest.raises(InputError, match=r"unpack to 2,097,152 or more.*zip bomb"):
        open_images(path)


def test_an_entry_that_claims_too_much_is_refused_when_read(files, build_zip, monkeypatch):
    path = patch_zip(
        build_zip({"a.png": files["a.png"]}), offset=24, value=struct.pack("<I", 2**28 + 1)
    )
    monkeypatch.setattr(limits, "RATIO_FLOOR", 2**40)
    with (
        open_images(path) as source,
        pytest.raises(InputError, match=r"a\.png in .*takes 268,435,457 bytes"),
    ):
        source.content(0)


def test_an_entry_that_holds_more_than_it_claims_is_not_inflated(build_zip):
    path = build_zip({"a.bmp": bytes(2**20)})
    patch_zip(path, offset=24, value=struct.pack("<I", 10))
    with open_images(path) as source, pytest.raises(InputError, match=r"a\.bmp in .*is damaged"):
        source.content(0)


def test_overlapping_entries_are_refused(files, build_zip):
    path = patch_zip(build_zip(files), offset=20, value=struct.pack("<I", 2**20))
    with pytest.raises(InputError, match="its entries overlap"):
        open_images(path)


def test_a_flipped_bit_in_a_zip_is_noticed(files, build_zip):
    path = build_zip({"a.png": files["a.png"]}, compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[80] ^= 1
    path.write_bytes(content)
    with open_images(path) as source, pytest.raises(InputError, match="is damaged, its checksum"):
        source.content(0)


@pytest.mark.parametrize("kept", [0, 100, 600, 1024, 1100, 5000, 7168])
def test_a_tar_cut_short_is_refused(kept, files, build_tar):
    path = build_tar(files)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"images\.tar: .*cut short"):
        open_images(path)


def test_garbage_within_a_tar_does_not_end_it_silently(files, build_tar):
    path = build_tar(files)
    content = bytearray(path.read_bytes())
    second = content.find(b"cat/10.png")
    content[second : second + 512] = b"\x07" * 512
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"images\.tar: .*damaged or cut short"):
        open_images(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.xz", "a.tar.bz2"])
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_a_file_that_is_no_archive_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_images(tmp_path / name)


def test_no_damage_to_an_archive_is_a_traceback(files, tmp_path, build_zip, build_tar):
    refused = []

    @settings(max_examples=150)
    @given(data=st.data())
    def damaged(data):
        name = data.draw(st.sampled_from(["x.zip", "x.tar", "x.tgz"]))
        make = build_zip if name == "x.zip" else build_tar
        path = make(files, name, **({"mode": "w:gz"} if name == "x.tgz" else {}))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(content) - 1))
            content[position] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            with open_images(path) as source:
                for position in range(len(source)):
                    source.content(position)
            refused.append(False)
        except InputError:
            refused.append(True)

    damaged()
    assert set(refused) == {True, False}


def test_an_entry_without_a_name_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"")
    path.write_bytes(path.read_bytes().replace(b"a.png", b"\0.png"))  # names end at a NUL
    with pytest.raises(InputError, match=r"x\.zip: an entry has no name"):
        open_images(path)


def test_entries_can_be_read_from_many_threads_at_once(files, build_zip, build_tar):
    for path in (build_zip(files), build_tar(files)):
        with open_images(path) as source, ThreadPoolExecutor(8) as pool:
            contents = list(pool.map(source.content, list(range(len(files))) * 200))
        assert contents == [files[name] for name in sorted(files)] * 200


def test_a_zip_behind_other_data_is_read(tmp_path, files, build_zip):
    path = tmp_path / "behind.zip"
    path.write_bytes(b"#!/bin/sh\n" + build_zip(files).read_bytes())
    with open_images(path) as source:
        assert source.content(0) == files["a.png"]
