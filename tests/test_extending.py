"""The example package of docs/extending.md, installed as it stands there, and its commands."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import jinja2
import numpy as np
import pytest
from PIL import Image

import genmem
from genmem.errors import UsageError
from genmem.training.emm.factors import TrialConfig

SOURCES = Path(genmem.__file__).parent
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


def example(language, name):
    """The page's block in `language` whose first line is the comment `name`."""
    return next(text for kind, text in BLOCKS if kind == language and name in text[:40])


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_runs_with_the_example_package(line, folder):
    result = run(line, folder)
    assert result.returncode == 0, result.stderr


def test_the_example_metric_is_in_the_json_of_a_score(folder):
    line = "genmem score generated.npy --train train.npy --metrics lower_quartile_distance --json -"
    metrics = json.loads(run(line, folder).stdout)["metrics"]
    generated, train = (np.load(folder / f"{name}.npy") for name in ("generated", "train"))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (generated, train)]
    expected = np.quantile((1 - np.abs(unit[0] @ unit[1].T)).min(axis=1), 0.25)
    assert metrics["lower_quartile_distance"]["value"] == pytest.approx(expected, abs=1e-6)


def test_a_metric_of_genmem_itself_is_one_file_and_one_entry(folder, tmp_path):
    name, package = "lower_quartile_distance", tmp_path / "genmem"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    code, _, entry = example("python", "genmem_example/lower").partition("\nENTRY = ")
    (package / "metrics" / f"{name}.py").write_text(code, encoding="utf-8")
    built_in = package / "metrics" / "built_in.py"
    table = built_in.read_text(encoding="utf-8")
    entry = entry.replace("genmem_example.", "genmem.metrics.").rstrip()
    table = table.replace("_ENTRIES = (", f"_ENTRIES = (\n{entry},")
    built_in.write_text(table, encoding="utf-8")
    code = (
        "import genmem\n"
        f"score = genmem.score(generated='generated.npy', train='train.npy', metrics=['{name}'])\n"
        f"function = genmem.{name}\n"
        f"print(genmem.__file__, '{name}' in dir(genmem), *score.metrics, function.__module__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [str(package / "__init__.py"), "True", name, f"genmem.metrics.{name}"]
    assert result.stdout.split() == expected


def test_the_example_backbone_is_listed(folder):
    assert "tiny-gray" in run("genmem backbones", folder).stdout


def test_the_example_cheat_inverts_training_images(folder):
    assert run("genmem cheat invert --train train.rgb8 --samples 5 --out c.zip", folder).stderr
    train = np.fromfile(folder / "train.rgb8", np.uint8).reshape(-1, 8, 8, 3)
    with zipfile.ZipFile(folder / "c.zip") as archive:
        copies = [np.asarray(Image.open(archive.open(name))) for name in archive.namelist()]
    assert len(copies) == 5
    for copy in copies:
        assert (train == 255 - copy).all(axis=(1, 2, 3)).any()


def test_the_example_factor_changes_a_trial_and_refuses_what_cannot_be():
    names = {}
    exec(example("python", "# factor"), names)
    changed = names["DROPOUT"].apply(TrialConfig(), "0.25")
    assert changed.training.network.dropout == 0.25
    assert changed.with_network(dropout=TrialConfig().training.network.dropout) == TrialConfig()
    with pytest.raises(UsageError, match="dropout"):
        names["DROPOUT"].apply(TrialConfig(), "2")


def test_the_example_section_renders_the_five_largest_distances():
    names = {}
    exec(example("python", "# section"), names)
    score = SimpleNamespace(nearest={"generated": np.arange(10) / 10})
    partial = jinja2.Environment(autoescape=True).from_string(example("html", "farthest.html"))
    page = partial.render(farthest=names["farthest"](score))
    assert re.findall(r"<li>([\d.]+)</li>", page) == [f"0.{n}000" for n in (9, 8, 7, 6, 5)]
