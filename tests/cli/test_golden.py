"""Golden values through the real command line, on images made by a fixed rule."""

import json

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run

# Written on 2026-11-22 by this command; `pixels` needs only Pillow and NumPy, the network ONNX
# Runtime and the packaged weights. A change of these numbers is a change of results.
GOLDEN = {
    "pixels": {
        "fd": 346553.223867591,
        "fd_infinity": -603603.6869862473,
        "kd": -121537330355.69016,
        "precision": 1.0,
        "recall": 1.0,
        "density": 1.1866666666666668,
        "coverage": 1.0,
        "memorization_distance": 0.031388870652317304,
        "mifid": 11040640.095217807,
        "c_t": 0.8796733124359417,
        "copied_fraction": 0.035555555555555556,
        "memorization_ratio": 0.03333333333333333,
        "authpct": 76.66666666666667,
        "nn_quantiles": 0.032664765447879086,
    },
    "efficientnet-lite0": {
        "fd": 12.747223456141038,
        "memorization_distance": 0.019446815063120054,
        "mifid": 655.4915761149432,
        "nn_quantiles": 0.01444394279634355,
    },
}

# Both ends of the intervals; there are fewer rows than dimensions, so none of fd and mifid.
INTERVALS = {
    "pixels": {
        "memorization_distance": [0.02686891278078495, 0.03590882852384966],
        "c_t": [-1.103953982131059, 2.8633006070029428],
        "copied_fraction": [0.0, 0.22073540152296187],
        "memorization_ratio": [0.0008435709266304795, 0.17216945563341265],
        "kd": [-164311370116.3232, -78763290595.0571],
        "precision": [0.8842966917779722, 1.0],
        "density": [1.0811729287267826, 1.292160404606551],
    },
    "efficientnet-lite0": {
        "memorization_distance": [0.013682706822921081, 0.025210923303319026],
    },
}


def pattern(number, shift=0):
    """uint8 [24, 24, 3]: smooth waves whose frequencies depend on the number."""
    y, x = np.mgrid[0:24, 0:24] + shift
    waves = [
        np.sin(x * (1 + number % 7) / 9 + number) + np.cos(y * (1 + number % 5) / 7 + channel)
        for channel in range(3)
    ]
    return np.clip(127 + 60 * np.stack(waves, axis=-1), 0, 255).astype(np.uint8)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    numbers = {"train": range(0, 60), "test": range(60, 90), "generated": range(90, 115)}
    for role, those in numbers.items():
        (tmp_path / role).mkdir()
        for number in those:
            Image.fromarray(pattern(number)).save(tmp_path / role / f"{number:03d}.png")
    for number in range(5):  # five shifted training images among the generated
        image = Image.fromarray(pattern(number, shift=1))
        image.save(tmp_path / "generated" / f"copy{number}.png")
    return tmp_path


@pytest.mark.parametrize("backbone", GOLDEN)
def test_the_command_line_gives_the_numbers_written_down(backbone, folders, capsys):
    code = run(
        [
            *("score", str(folders / "generated"), "--train", str(folders / "train")),
            *("--test", str(folders / "test"), "--backbone", backbone),
            *("--tau", "0.1", "--json", "-", "--metrics", ",".join(GOLDEN[backbone])),
        ]
    )
    document = json.loads(capsys.readouterr().out)
    values = {name: result["value"] for name, result in document["metrics"].items()}
    intervals = {
        name: [result["interval"]["low"], result["interval"]["high"]]
        for name, result in document["metrics"].items()
        if "interval" in result
    }
    assert code == 0
    assert values == pytest.approx(GOLDEN[backbone], rel=1e-3, abs=1e-6)
    assert set(intervals) == set(INTERVALS[backbone])
    for name, ends in INTERVALS[backbone].items():
        assert intervals[name] == pytest.approx(ends, rel=1e-3, abs=1e-6)
