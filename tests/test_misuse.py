"""Calls that go wrong in people's hands: each ends in one clear line, never in a traceback."""

import numpy as np
import pytest
from PIL import Image

import genmem
from genmem.errors import GenmemError

IMAGES, TRAIN = np.random.default_rng(2).integers(0, 256, (2, 12, 8, 8, 3), dtype=np.uint8)
ROWS, TRAIN_ROWS = np.random.default_rng(3).normal(size=(2, 12, 5))


def score(**changes):
    arguments = {"generated": IMAGES, "train": TRAIN, "backbone": "pixels", "metrics": ["kd"]}
    return genmem.score(**arguments | changes)


def audit(**changes):
    return genmem.audit(**{"generated": IMAGES, "train": TRAIN, "backbone": "pixels"} | changes)


def features(**changes):
    return genmem.score(**{"generated": ROWS, "train": TRAIN_ROWS, "metrics": ["fd"]} | changes)


def running(train, images):
    genmem.RunningScore(train=train, backbone="pixels", metrics=["fd"]).update(images)


MISUSES = {
    "no images": (lambda: score(generated=None), "generated: expected images: .*got NoneType"),
    "a number": (lambda: score(train=5), "train: expected images: .*got int"),
    "one Pillow image": (
        lambda: score(generated=Image.fromarray(IMAGES[0])),
        r"a single image\. Give a list",
    ),
    "one image as array": (lambda: score(generated=IMAGES[0]), "For a single image add an axis"),
    "an empty list": (lambda: score(generated=[]), "generated: expected at least one image"),
    "an empty array": (lambda: score(generated=IMAGES[:0]), "generated: .*which is empty"),
    "lists of lists": (lambda: score(generated=[[[1, 2], [3, 4]]]), "got a list of lists"),
    "floats without a range": (lambda: score(generated=IMAGES / 255), "give value_range=.0, 1."),
    "floats outside the range": (
        lambda: score(generated=IMAGES / 1.0, value_range=(0, 1)),
        "the values go from 0 to 255, beyond value_range",
    ),
    "NaN in images": (
        lambda: score(generated=np.full((3, 8, 8, 3), np.nan), value_range=(0, 1)),
        "generated: some pixels are NaN",
    ),
    "whole numbers": (lambda: score(generated=IMAGES.astype(int)), "got int64.*Scale to 0"),
    "a range upside down": (lambda: score(value_range=(1, -1)), "value_range: expected the values"),
    "a range as text": (lambda: score(value_range="0-1"), "value_range: expected the values"),
    "labels first": (lambda: score(generated=[(3, IMAGES[0])]), "item 0 of generated: .*got int"),
    "a dictionary without images": (
        lambda: score(generated={"label": [1]}),
        "a dictionary with one of image, .*got one with label",
    ),
    "a missing path": (lambda: score(generated="smaples"), "there is no such file or folder"),
    "an empty path": (lambda: score(train=" "), "train: expected a value, got an empty text"),
    "a missing path in a list": (
        lambda: score(generated=["a.png", "b.png"]),
        r"a\.png: there is no such file",
    ),
    "a sampler itself": (
        lambda: score(generated=lambda n: IMAGES[:n]),
        r"give genmem\.sample_images\(sampler, n\)",
    ),
    "images of several sizes": (
        lambda: score(generated=[IMAGES[0], IMAGES[1, :4]]),
        "Make all images one size",
    ),
    "sets of several sizes": (lambda: score(train=TRAIN[:, :4]), "the sets differ in image size"),
    "sets of several dimensions": (
        lambda: features(train=TRAIN_ROWS[:, :4]),
        "generated has 5, train has 4",
    ),
    "NaN in features": (lambda: features(generated=ROWS * np.nan), "row 0 holds NaN"),
    "features and images": (lambda: features(train=TRAIN, backbone="pixels"), "dimension"),
    "metrics as text": (lambda: score(metrics="kd"), "metrics: expected a list of names"),
    "an unknown metric": (lambda: score(metrics=["fdi"]), "unknown metric 'fdi'"),
    "no metric": (lambda: score(metrics=[]), "metrics: expected at least one"),
    "numbers as metrics": (lambda: score(metrics=[3]), "metrics: expected a list of names"),
    "an unknown backbone": (lambda: score(backbone="inceptoin"), "did you mean inception"),
    "backbones in one text": (lambda: audit(backbone="pixels,sscd"), "unknown backbone"),
    "no backbone": (lambda: audit(backbone=[]), "backbone: expected one, or several"),
    "a backbone twice": (lambda: audit(backbone=["pixels"] * 2), "several of different names"),
    "a number as backbone": (lambda: score(backbone=5), "backbone: expected a name.*got int"),
    "an unknown device": (lambda: score(device="gpu"), "device: 'gpu' is not available here"),
    "a GPU that is not there": (lambda: score(device="cuda:99"), "device: 'cuda:99' is not avail"),
    "no batch": (lambda: score(batch_size=0), "batch_size: expected a whole number"),
    "a negative seed": (lambda: score(seed=-1), "seed: expected a whole number"),
    "a seed as text": (lambda: score(seed="0"), "seed: expected a whole number"),
    "a threshold as text": (lambda: score(metrics=["mifid"], tau="0.1"), "tau: expected"),
    "a threshold above 1": (lambda: score(metrics=["mifid"], tau=10), "tau"),
    "a level in percent": (lambda: audit(level=5), "level: expected a rate between 0 and 1"),
    "a level as text": (lambda: audit(level="5 %"), "level: expected a rate between 0 and 1"),
    "neighbors as text": (lambda: audit(neighbors="5"), "neighbors: expected"),
    "progress as text": (lambda: score(progress="yes"), "progress: expected True, False, None"),
    "images where train is features": (lambda: running(TRAIN_ROWS, IMAGES), "like train's, got im"),
    "MiFID without a threshold": (lambda: score()["mifid"], "no metric 'mifid'"),
    "a query of no reference": (lambda: genmem.query(IMAGES, train=TRAIN), "expected a reference"),
    "a score that is none": (lambda: genmem.Score.load("nothing"), "cannot be read: no such file"),
}


def test_every_misuse_ends_in_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(MISUSES) >= 25
    for name, (call, reason) in MISUSES.items():
        with pytest.raises(GenmemError, match=reason) as caught:
            call()
        message = str(caught.value)
        assert "\n" not in message, name
        assert len(message) <= 300, (name, len(message), message)
