import io
import re

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run
from genmem.demo.digits import GENERATED, SIDE, TEST, TRAIN, demo_images


@pytest.fixture(scope="module")
def images():
    return demo_images(seed=0)


def pixels(encoded):
    return np.stack([np.asarray(Image.open(io.BytesIO(image)), dtype=float) for image in encoded])


def nearest(queries, references):
    flat = [array.reshape(len(array), -1) for array in (queries, references)]
    squares = (flat[0] ** 2).sum(1)[:, None] + (flat[1] ** 2).sum(1)[None]
    return np.sqrt(np.maximum(squares - 2 * flat[0] @ flat[1].T, 0).min(1))


def test_the_demo_has_four_sets_of_rgb_images(images):
    sizes = {"train": TRAIN, "test": TEST, "honest": GENERATED, "copying": GENERATED}
    for name, size in sizes.items():
        assert pixels(getattr(images, name)).shape == (size, SIDE, SIDE, 3)


def test_the_honest_generator_is_as_far_from_train_as_held_out_digits_are(images):
    train = pixels(images.train)
    honest, test, copying = (
        nearest(pixels(getattr(images, name)), train) for name in ("honest", "test", "copying")
    )
    assert np.median(honest) == pytest.approx(np.median(test), rel=0.1)
    assert honest.min() > 0.8 * test.min()
    assert copying.max() < 0.5 * test.min()


def test_one_seed_makes_the_same_images(images):
    assert demo_images(seed=0) == images


def test_the_demo_leaves_a_folder_of_other_files_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_score_and_audit_of_the_demo_agree_on_both_generators(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 0
    output = capsys.readouterr().out
    for judge in ("score", "audit"):
        assert re.search(rf"verdict of the {judge} +no sign of copying +copying", output)
    assert "By FD alone the copying generator is better." in output
    pages = ("honest.html", "copying.html", "honest-audit/audit.html", "copying-audit/audit.html")
    assert all((tmp_path / "demo" / page).is_file() for page in pages)
