"""Bad zips: each is refused with a clear message, and the first ten wrong files are named."""

import io
import random
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from genmem.arena.submissions.validate import InvalidImages, validate
from genmem.arena.submissions.zip_index import limits_for
from genmem.images import hash_images, open_images

from ..images import COUNT, SIDE, a_zip, png

LIMITS = limits_for(count=COUNT, width=SIDE, height=SIDE, zip_bytes=1_000_000)


def check(path, **changes):
    asked = {"count": COUNT, "width": SIDE, "height": SIDE, "formats": ["png"], "limits": LIMITS}
    return validate(path, **asked | changes)


def refusal(path, **changes) -> InvalidImages:
    with pytest.raises(InvalidImages) as caught:
        check(path, **changes)
    assert "Traceback" not in caught.value.text
    return caught.value


@pytest.fixture
def archive(tmp_path):
    """A zip under construction, with one image fewer than asked for."""
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(a_zip(path, COUNT - 1), "a", zipfile.ZIP_DEFLATED) as opened:
        yield opened


def finished(archive):
    archive.close()
    return Path(archive.filename)


def test_a_good_zip_passes_with_its_names_and_the_digests_of_its_images(tmp_path):
    path = a_zip(tmp_path / "s.zip")
    found = check(path)
    assert found.names == ("0000.png", "0001.png", "0002.png", "0003.png")
    with open_images(path) as source:
        assert found.digests == tuple(row.tobytes().hex() for row in hash_images(source).per_image)


def test_folders_and_what_systems_leave_behind_do_not_count(archive):
    archive.writestr("images/", b"")
    archive.writestr("images/last.png", png(9))
    archive.writestr("__MACOSX/images/._last.png", b"x")
    archive.writestr("images/.DS_Store", b"x")
    assert check(finished(archive)).names[-1] == "images/last.png"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" * 99, b"PK\3\4" + bytes(500)]
)
def test_what_is_not_a_zip_is_refused(tmp_path, content):
    path = tmp_path / "s.zip"
    path.write_bytes(content)
    assert "cannot be read as a zip" in refusal(path).message


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.9, 0.99])
def test_a_zip_cut_short_is_refused(tmp_path, keep):
    path = a_zip(tmp_path / "s.zip")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert "truncated" in refusal(path).message


@pytest.mark.parametrize(("count", "found"), [(COUNT - 1, "3"), (COUNT + 1, "5"), (0, "0")])
def test_the_wrong_number_of_images_is_told(tmp_path, count, found):
    refused = refusal(a_zip(tmp_path / "s.zip", count))
    assert refused.message == f"Expected 4 images, found {found}."


def test_more_bytes_than_allowed_are_refused_unread(tmp_path):
    limits = limits_for(count=COUNT, width=SIDE, height=SIDE, zip_bytes=100)
    assert "more than the 100 allowed" in refusal(a_zip(tmp_path / "s.zip"), limits=limits).message


def test_a_bomb_of_one_huge_file_is_refused_without_unpacking_it(archive):
    archive.writestr("bomb.png", bytes(50_000_000))
    refused = refusal(finished(archive))
    assert refused.problems[0][0] == "bomb.png"
    assert "unpacks to 50,000,000 bytes" in refused.problems[0][1]


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    path = a_zip(tmp_path / "s.zip", COUNT - 1)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("bomb.png", bytes(50_000_000))
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 50_000_000), struct.pack("<L", 1000)))
    refused = refusal(path)
    assert "damaged in the zip" in refused.problems[0][1]


def test_a_bomb_of_overlapping_files_is_refused(tmp_path):
    path = a_zip(tmp_path / "s.zip", 1)
    with zipfile.ZipFile(path, "a") as opened:
        first = opened.infolist()[0]
        for number in range(1, COUNT):
            twin = zipfile.ZipInfo(f"{number:04d}.png")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "external_attr"):
                setattr(twin, field, getattr(first, field))
            opened.filelist.append(twin)
            opened.NameToInfo[twin.filename] = twin
        opened._didModify = True
    assert "overlap" in refusal(path).message


def test_a_list_of_far_too_many_files_is_refused_unread(tmp_path):
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for number in range(25_000):
            opened.writestr(f"{number:030d}.png", b"")
    big = limits_for(count=COUNT, width=SIDE, height=SIDE, zip_bytes=10**9)
    assert "list of files alone" in refusal(path, limits=big).message


def test_nested_zips_are_no_images(archive, tmp_path):
    archive.writestr("inner.png", a_zip(tmp_path / "inner.zip").read_bytes())
    assert "not a readable image" in refusal(finished(archive)).problems[0][1]


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:x.png", "..\\x.png", "\\\\host\\x.png"]
)
def test_names_that_lead_out_of_the_zip_are_refused(archive, name):
    info = zipfile.ZipInfo("placeholder.png")
    info.filename = name
    archive.writestr(info, png(9))
    assert "points outside" in refusal(finished(archive)).problems[0][1]


def test_links_are_refused(archive):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")
    refused = refusal(finished(archive))
    assert refused.problems == (("link.png", "it is a link, expected the file itself"),)


def test_double_names_are_refused(archive):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("0000.png", png(9))
    assert refusal(finished(archive)).problems == (("0000.png", "it is in the zip twice"),)


def test_names_that_differ_only_in_how_an_accent_is_spelled_are_doubles(archive):
    archive.writestr("\u00e9.png", png(8))
    archive.writestr("e\u0301.png", png(9))
    refused = refusal(finished(archive), count=COUNT + 1)
    assert refused.problems[0][1] == "it is in the zip twice"


def test_names_in_utf_8_are_welcome(archive):
    archive.writestr("犬.png", png(9))
    assert check(finished(archive)).names[-1] == "犬.png"


def test_names_in_other_encodings_are_refused_and_shown(tmp_path):
    path = a_zip(tmp_path / "s.zip", COUNT - 1, **{"hxnd.png": png(9)})
    path.write_bytes(path.read_bytes().replace(b"hxnd.png", b"h\xfcnd.png"))
    refused = refusal(path)
    assert refused.problems[0][0] == "h\\xfcnd.png"
    assert "neither ASCII nor" in refused.problems[0][1]


def test_names_that_claim_to_be_utf_8_and_are_not_are_refused(tmp_path):
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(a_zip(path, COUNT - 1), "a") as opened:
        opened.writestr("h\u00fcnd.png", png(9))
    path.write_bytes(path.read_bytes().replace("h\u00fc".encode(), b"h\xff\xfe"))
    assert "names are marked as UTF-8" in refusal(path).message


@pytest.mark.parametrize("size", [(SIDE, SIDE + 1), (1, 1), (64, 64)])
def test_the_wrong_size_is_told(archive, size):
    archive.writestr("x.png", png(9, size=size))
    assert refusal(finished(archive)).problems == (
        ("x.png", f"it has {size[0]} × {size[1]} pixels, expected 8 × 8"),
    )


def test_another_format_behind_the_right_suffix_is_told(archive):
    archive.writestr("x.png", png(9, kind="JPEG"))
    assert refusal(finished(archive)).problems == (("x.png", "its content is JPEG, expected PNG"),)


def test_a_suffix_that_does_not_fit_is_told(archive):
    archive.writestr("x.txt", png(9))
    assert "must end in .png" in refusal(finished(archive)).problems[0][1]


def test_several_formats_can_be_asked_for(archive):
    archive.writestr("x.jpg", png(9, kind="JPEG"))
    assert len(check(finished(archive), formats=["png", "jpeg"]).names) == COUNT


@pytest.mark.parametrize("cut", [0, 30, 60, 0.5, 0.9])
def test_a_broken_image_is_told(archive, cut):
    content = png(9)
    archive.writestr("x.png", content[: cut if isinstance(cut, int) else int(len(content) * cut)])
    reason = refusal(finished(archive)).problems[0][1]
    assert reason.startswith(
        ("it is broken", "it is not a readable image") if cut else "it is empty"
    )


def test_an_image_of_absurdly_many_pixels_is_refused_unread(archive):
    content = bytearray(png(9))
    content[16:24] = struct.pack(">LL", 60_000, 60_000)
    content[29:33] = struct.pack(">L", zlib.crc32(bytes(content[12:29])))
    archive.writestr("x.png", bytes(content))
    reason = refusal(finished(archive)).problems[0][1]
    assert "60,000 × 60,000" in reason or "not a readable image" in reason


def test_a_damaged_entry_is_told(tmp_path):
    path = a_zip(tmp_path / "s.zip")
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    assert "damaged in the zip" in refusal(path).problems[0][1]


def test_encrypted_files_are_refused(tmp_path):
    path = a_zip(tmp_path / "s.zip")
    content = path.read_bytes()
    first = content.index(b"PK\1\2")
    path.write_bytes(content[: first + 8] + b"\1" + content[first + 9 :])
    assert refusal(path).problems[0][1] == "it is encrypted"


def test_the_first_ten_wrong_files_are_named_and_all_are_counted(tmp_path):
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for number in range(30):
            opened.writestr(f"{number:02d}.png", png(number, size=(4, 4) if number else (8, 8)))
    refused = refusal(path, count=30)
    assert refused.message == "29 of 30 files are invalid."
    assert [name for name, _ in refused.problems] == [f"{n:02d}.png" for n in range(1, 11)]
    assert refused.total == 29
    assert refused.text.splitlines()[-1] == "… and 19 more"


def test_count_and_wrong_names_are_told_together(archive):
    archive.writestr("../a.png", png(8))
    archive.writestr("b.png", png(9))
    assert refusal(finished(archive)).message.startswith("Expected 4 images, found 5. 1 of 5")


def test_a_zip_of_many_images_with_a_64_bit_end_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = tmp_path / "s.zip"
    a_zip(path)
    assert b"PK\6\6" in path.read_bytes()
    monkeypatch.undo()
    assert len(check(path).names) == COUNT


def test_bytes_before_the_zip_do_no_harm(tmp_path):
    path = a_zip(tmp_path / "s.zip")
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert len(check(path).names) == COUNT


def test_random_damage_never_ends_in_anything_but_a_verdict(tmp_path):
    good = a_zip(tmp_path / "s.zip").read_bytes()
    path = tmp_path / "damaged.zip"
    chance = random.Random(0)
    refused = 0
    for _ in range(300):
        content = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            assert len(check(path).names) == COUNT
        except InvalidImages:
            refused += 1
    assert 0 < refused < 300


def test_gray_images_are_taken_as_the_decode_rule_reads_them(archive):
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (SIDE, SIDE), 9).save(buffer, format="PNG")
    archive.writestr("gray.png", buffer.getvalue())
    assert len(check(finished(archive)).names) == COUNT
