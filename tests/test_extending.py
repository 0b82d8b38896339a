"""The example package of docs/extending.md, installed as it stands there, and its commands."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if line.startswith("genmem ")
]


def install(folder):
    """Write the page's modules and entry points into `folder`, as an installer would."""
    information = folder / "genmem_example-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: genmem-example\nVersion: 1.0\n"
    )
    for language, text in BLOCKS:
        path = text.partition("\n")[0].removeprefix("# ")
        if language == "toml" and path == "pyproject.toml":
            groups = tomllib.loads(text)["project"]["entry-points"]
            lines = [
                line
                for group, points in groups.items()
                for line in (f"[{group}]", *(f"{name} = {at}" for name, at in points.items()))
            ]
            (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
        elif language == "python" and path.startswith("genmem_example/"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
            (folder / "genmem_example" / "__init__.py").touch()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the example package in `packages` and the commands' inputs."""
    folder = tmp_path_factory.mktemp("extending")
    install(folder / "packages")
    rng = np.random.default_rng(0)
    for name, count in (("generated", 40), ("train", 60)):
        rng.integers(0, 256, (count, 8, 8, 3), np.uint8).tofile(folder / f"{name}.rgb8")
        np.save(folder / f"{name}.npy", rng.normal(size=(count, 16)).astype(np.float32))
    return folder


def run(line, folder):
    """Run one `genmem …` line in `folder`, with the example package installed."""
    search_path = os.pathsep.join([str(folder / "packages"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", "from genmem.cli.app import main; main()", *shlex.split(line)[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search_path, "GENMEM_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_runs_with_the_example_package(line, folder):
    result = run(line, folder)
    assert result.returncode == 0, result.stderr


def test_the_example_metric_is_in_the_json_of_a_score(folder):
    line = "genmem score generated.npy --train train.npy --metrics median_distance --json -"
    metrics = json.loads(run(line, folder).stdout)["metrics"]
    generated, train = (np.load(folder / f"{name}.npy") for name in ("generated", "train"))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (generated, train)]
    expected = np.median((1 - np.abs(unit[0] @ unit[1].T)).min(axis=1))
    assert metrics["median_distance"]["value"] == pytest.approx(expected, abs=1e-6)


def test_the_example_backbone_is_listed(folder):
    assert "tiny-gray" in run("genmem backbones", folder).stdout
