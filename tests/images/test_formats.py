import io

import numpy as np
import pytest
from PIL import Image, features

from genmem.errors import InputError
from genmem.images import decode, formats, hash_images, open_images, read_batches

COLOR = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
JPEG_XL = b"\xff\x0a" + bytes(64)
HEIC_HEADER = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(64)


def encode(kind, **options):
    file = io.BytesIO()
    Image.fromarray(COLOR).save(file, kind, **options)
    return file.getvalue()


def encode_heic():
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(COLOR)).save(file, quality=-1, chroma=444)
    return file.getvalue()


def test_avif_is_read_as_pillow_reads_it():
    content = encode("AVIF")
    expected = np.asarray(Image.open(io.BytesIO(content)))
    assert np.array_equal(decode(content, name="x"), expected)


def test_heic_is_read_where_pillow_heif_is_installed_and_registers_nothing():
    content = encode_heic()
    assert np.abs(decode(content, name="x").astype(int) - COLOR).max() <= 3
    assert "HEIF" not in Image.OPEN
    with pytest.raises(InputError, match=r"x: cannot be decoded: .*[Ee]nd of file"):
        decode(content[:-100], name="x")


@pytest.mark.parametrize(
    ("content", "name", "advice"),
    [
        (HEIC_HEADER, "a.heic", r"HEIF \(HEIC\) needs the package pillow-heif: pip install"),
        (HEIC_HEADER, "a.jpg", "HEIF"),
        (JPEG_XL, "a.jxl", "JPEG XL is not supported. Convert it to PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a.jxl", "JPEG XL is not supported"),
        (encode("AVIF"), "a.avif", "AVIF is missing from this build of Pillow"),
        (encode("WEBP"), "a.webp", "WebP is missing from this build of Pillow"),
    ],
)
def test_a_format_that_cannot_be_read_here_is_named_with_what_reads_it(
    content, name, advice, build_folder, monkeypatch
):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    monkeypatch.setattr(features, "check", lambda name: False)
    source = open_images(build_folder({name: content, "b.png": encode("PNG")}))
    with pytest.raises(InputError, match=f"{name} in .*: cannot be decoded: {advice}"):
        list(read_batches(source, transform=np.asarray, batch_size=4))
    [batch] = read_batches(source, transform=np.asarray, batch_size=4, skip_broken=True)
    assert [position for position, _ in batch.broken] == [0]
    assert np.array_equal(batch.array[0], COLOR)


def test_the_hash_changes_when_a_package_makes_a_format_readable(build_folder, monkeypatch):
    folder = build_folder({"a.heic": HEIC_HEADER, "b.png": encode("PNG")})
    digests = set()
    for spec in (None, "installed"):
        monkeypatch.setattr(formats, "find_spec", lambda name, spec=spec: spec)
        digests.add(hash_images(open_images(folder)).hexdigest)
    assert len(digests) == 2


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_side_files_of_webdataset_are_left_out_and_counted(
    kind, files, build_folder, build_zip, build_tar
):
    sides = {
        f"{name.rpartition('.')[0]}{suffix}": b"0"
        for name in files
        for suffix in (".json", ".txt", ".CLS")
    }
    build = {"folder": build_folder, "zip": build_zip, "tar": build_tar}[kind]
    with open_images(build(files | sides)) as source:
        assert (source.side_file_count, source.non_image_count) == (18, 0)
        ids = [source.id(position) for position in range(len(source))]
        assert ids == sorted(files)
        assert [source.content(position) for position in range(6)] == [files[name] for name in ids]
        [batch] = read_batches(source, transform=np.asarray, batch_size=10)
        assert len(batch.positions) == 6


def test_a_folder_of_side_files_alone_is_refused(build_folder):
    with pytest.raises(InputError, match=r"found 2 side files\. Check the path"):
        open_images(build_folder({"a.json": b"{}", "b.txt": b""}))
    with pytest.raises(InputError, match=r"found 1 other file, such as c\.csv and 1 side file\."):
        open_images(build_folder({"c.csv": b"", "b.txt": b""}, "second"))
