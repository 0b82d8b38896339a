"""`genmem cheat` from a training set to a zip, and what it refuses."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from genmem.cheats import (
    CheatOptions,
    generate_images,
    load_training_images,
    registry,
    write_images,
)
from genmem.cli.app import run
from genmem.errors import InputError, UsageError
from genmem.images import open_images

from ..cheats.factories import smooth_images


@pytest.fixture(scope="module")
def images():
    return smooth_images()


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def data(tmp_path, images):
    """The images as a zip of PNGs."""
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place, one in enumerate(images):
            archive.writestr(f"{place:02d}.png", png(one))
    return path


def test_side_files_beside_the_training_images_are_counted(data, tmp_path, capsys):
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("00.txt", "a caption")
    out = tmp_path / "gen.zip"
    command = ["cheat", "mgan-store", "--train", str(data), "--samples", "3", "--out", str(out)]
    assert run(command) == 0
    assert "note: 1 side file (captions, labels, metadata) in train.zip was left out." in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "method", "options"),
    [
        (["mgan-store", "--mix", "0.7"], "mgan-store", {"mix": 0.7}),
        (["aug", "--augmentation", "crops"], "aug", {"augmentation": "crops"}),
    ],
)
def test_the_command_writes_what_python_generates(
    data, images, tmp_path, capsys, arguments, method, options
):
    out = tmp_path / "gen.zip"
    command = ["cheat", *arguments, "--train", str(data), "--samples", "7", "--seed", "5"]
    assert run([*command, "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == f"images: {out}"
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == [f"{place:06d}.png" for place in range(7)]
    expected = generate_images(method, images, count=7, seed=5, options=CheatOptions(**options))
    np.testing.assert_array_equal(load_training_images(out), expected)


def test_the_same_seed_writes_the_same_bytes(data, tmp_path):
    paths = [tmp_path / name for name in ("one.zip", "two.zip")]
    for path in paths:
        assert (
            run(["cheat", "sup", "--train", str(data), "--samples", "4", "--out", str(path)]) == 0
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_oblong_images_are_cropped_to_their_central_square_and_resized(tmp_path):
    wide = np.zeros((2, 20, 40, 3), np.uint8)
    wide[:, :, 10:30] = 200
    np.save(tmp_path / "wide.npy", wide)
    np.testing.assert_array_equal(
        load_training_images(tmp_path / "wide.npy"), np.full((2, 20, 20, 3), 200, np.uint8)
    )
    assert load_training_images(tmp_path / "wide.npy", size=8).shape == (2, 8, 8, 3)


def test_images_of_several_sizes_need_a_size(tmp_path, images):
    for name, one in (("a.png", images[0]), ("b.png", images[1][:12, :12])):
        (tmp_path / name).write_bytes(png(one))
    with pytest.raises(
        InputError, match=r"expected 16 pixels along the shorter side.* got 12.*--size"
    ):
        load_training_images(tmp_path)
    assert load_training_images(tmp_path, size=16).shape == (2, 16, 16, 3)


def test_a_broken_image_is_named_and_can_be_left_out(tmp_path, images):
    for place, one in enumerate(images):
        (tmp_path / f"{place:02d}.png").write_bytes(png(one))
    (tmp_path / "03.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(InputError, match=r"03\.png"):
        load_training_images(tmp_path)
    remaining = load_training_images(tmp_path, skip_broken=True)
    np.testing.assert_array_equal(remaining, np.delete(images, 3, axis=0))


def test_what_skip_broken_leaves_out_is_counted(tmp_path, images, capsys):
    folder = tmp_path / "train"
    folder.mkdir()
    for place, one in enumerate(images):
        (folder / f"{place:02d}.png").write_bytes(png(one))
    (folder / "03.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (folder / "04.json").write_bytes(b"{}")
    out = str(tmp_path / "out.zip")
    command = ["cheat", "ae", "--train", str(folder), "--samples", "4", "--out", out]
    assert run([*command, "--skip-broken"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: 1 file that cannot be read as an image was left out.",
        "note: 1 side file (captions, labels, metadata) in train was left out.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sup", "--train", "{data}", "--out", "gen.png"], "ending in .zip"),
        (["sup", "--train", "{data}", "--out", "missing/gen.zip"], "there is no folder missing"),
        (["sup", "--train", "{data}", "--out", "{data}"], "would replace --train"),
        (["sup", "--train", "nowhere.zip", "--out", "gen.zip"], "nowhere.zip: there is no such"),
        (["ae", "--train", "{data}", "--out", "gen.zip", "--mix", "0.7"], "ae mixes no images"),
        (["gan", "--train", "{data}", "--out", "gen.zip"], "gan"),
        (["sup", "--train", "{data}", "--out", "gen.zip", "--samples", "0"], "--samples"),
        (
            ["sup", "--train", "{data}", "--out", "gen.zip", "--samples", "1000000000000"],
            "--samples",
        ),
        (["sup", "--train", "{data}", "--out", "gen.zip", "--size", "4"], "--size"),
        (["sup", "--train", "{data}", "--out", "gen.zip", "--size", "100000"], "--size"),
    ],
)
def test_bad_input_ends_in_one_line_and_no_file(
    data, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    assert run(["cheat", *(one.format(data=data) for one in arguments)]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == before


def test_one_training_image_is_too_few(tmp_path, images, capsys):
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "only.png").write_bytes(png(images[0]))
    out = tmp_path / "gen.zip"
    assert run(["cheat", "aug", "--train", str(folder), "--out", str(out)]) == 2
    assert "at least 2 different training images, got 1" in capsys.readouterr().err
    assert not out.exists()


def test_an_interrupted_writing_leaves_the_old_file(tmp_path, images):
    out = tmp_path / "gen.zip"
    write_images(images[:2], out)

    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_images(images, out, progress=stop)
    with open_images(out) as source:
        assert len(source) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["gen.zip"]


@pytest.mark.parametrize("size", [7, 4_097])
def test_a_size_below_eight_or_beyond_any_memory_is_refused(data, size):
    with pytest.raises(UsageError, match="at least 8 pixels a side and at most 4,096"):
        load_training_images(data, size=size)


def test_more_images_than_memory_and_six_digits_hold_are_refused(images):
    with pytest.raises(UsageError, match="at most 1,000,000, got 1,000,001"):
        generate_images("aug", images, count=1_000_001)


def test_the_help_lists_the_registered_cheats_with_their_defaults(capsys):
    assert run(["cheat", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # of broken lines
    for name, cheat in registry().items():
        assert f"{name}: {cheat.description}" in text
        assert cheat.default_mix is None or f"{name} {cheat.default_mix}" in text
        assert "|".join(cheat.augmentations) in text
