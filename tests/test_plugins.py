"""A package of somebody else's, installed beside genmem, adds entries to the registries."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from genmem import plugins
from genmem.errors import UsageError

MODULE = '''
import numpy as np

from genmem.cheats.registry import Cheat
from genmem.features.backbone import Backbone
from genmem.features.engines import function_engine
from genmem.features.preprocessing import Identity
from genmem.images import ArraySource
from genmem.images.registry import SourceFormat, has_suffix
from genmem.metrics.registry import Metric, by_keyword
from genmem.results import Result


def mean_color(batch):
    return batch.mean(axis=(1, 2), dtype=np.float32)


def open_raw(path):
    """A .raw file: 8 × 8 RGB images, one after the other."""
    pixels = np.fromfile(path, np.uint8).reshape(-1, 8, 8, 3)
    return ArraySource(pixels, name="raw", where=str(path))


def furthest(*, distances):
    return Result(name="furthest", value=float(distances.max()), n={"generated": len(distances)})


def copy(request):
    return request.images[request.members]


METRIC = Metric(
    name="furthest",
    function=furthest,
    inputs=by_keyword(distances="generated_distances"),
    title="Largest distance to the training set",
    better="higher",
    group="copying",
    interpretation="No generated image is further than {value} from the training set.",
    source="a test",
)
CHEAT = Cheat(description="the training images themselves", generate=copy)
BACKBONE = Backbone(
    name="mean-color",
    description="the mean of each channel",
    licence="CC0-1.0",
    dimension=3,
    preprocessing=Identity(),
    open_engine=function_engine(mean_color),
)
SOURCE = SourceFormat(
    name="raw", description=".raw", accepts=has_suffix(".raw"), open=open_raw
)
'''

ENTRY_POINTS = """
[genmem.backbones]
mean-color = others_package:BACKBONE

[genmem.image_sources]
raw = others_package:SOURCE

[genmem.metrics]
furthest = others_package:METRIC

[genmem.cheats]
plain-copy = others_package:CHEAT
"""

ANSWER = """
[test.group]
answer = others_package:ANSWER
"""


def install(folder, *, module=MODULE, entry_points=ENTRY_POINTS):
    """Put a package with these entry points into `folder`, as an installer would."""
    information = folder / "others_package-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "others_package.py").write_text(module)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: others-package\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(entry_points)
    return folder


@pytest.fixture
def run_genmem(tmp_path):
    """Run the command line with a folder of installed packages in front of genmem's own."""

    def run(*arguments, packages):
        search_path = os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-c", "from genmem.cli.app import main; main()", *arguments],
            env={**os.environ, "PYTHONPATH": search_path, "GENMEM_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def packages(tmp_path):
    """A folder with an installed package that has one entry for each registry."""
    return install(tmp_path / "packages")


@pytest.fixture
def raw_images(tmp_path):
    """A file in the format of the package, and its pixels, uint8 [20, 8, 8, 3]."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    pixels.tofile(tmp_path / "images.raw")
    return str(tmp_path / "images.raw"), pixels


def test_another_package_adds_a_backbone_and_an_image_source(
    tmp_path, run_genmem, packages, raw_images
):
    source, pixels = raw_images
    listing = run_genmem("backbones", packages=packages)
    assert "mean-color" in listing.stdout, listing.stderr
    out = tmp_path / "features.npy"
    arguments = ("features", source, "--backbone", "mean-color", "--out", str(out))
    result = run_genmem(*arguments, packages=packages)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(out), pixels.mean(axis=(1, 2)), rtol=1e-6)
    assert json.loads(out.with_suffix(".ids.json").read_text())["source"] == "raw"


def test_another_package_adds_a_cheat_and_a_metric(tmp_path, run_genmem, packages, raw_images):
    source, _ = raw_images
    copies = tmp_path / "copies.zip"
    arguments = ("cheat", "plain-copy", "--train", source, "--samples", "20", "--out", str(copies))
    result = run_genmem(*arguments, packages=packages)
    assert result.returncode == 0, result.stderr
    arguments = ("score", str(copies), "--train", source, "--backbone", "mean-color")
    result = run_genmem(*arguments, "--metrics", "furthest", "--json", "-", packages=packages)
    assert result.returncode == 0, result.stderr
    metrics = json.loads(result.stdout)["metrics"]
    assert list(metrics) == ["furthest"]
    assert metrics["furthest"]["value"] == pytest.approx(0, abs=1e-12)


def test_a_broken_plugin_is_one_line_that_names_it(tmp_path, run_genmem):
    packages = install(tmp_path / "packages", module="import a_module_that_is_missing\n")
    result = run_genmem("backbones", packages=packages)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    message = " ".join(result.stderr.split())
    assert "plugin 'mean-color' of genmem.backbones from the package others-package" in message
    assert "a_module_that_is_missing" in message


@pytest.fixture
def in_process(tmp_path, monkeypatch):
    """Install a package for this process."""

    def add(**options):
        monkeypatch.syspath_prepend(install(tmp_path / "packages", **options))
        plugins.load.cache_clear()

    yield add
    plugins.load.cache_clear()
    sys.modules.pop("others_package", None)


@pytest.mark.parametrize(
    ("own", "kind", "reason"),
    [
        ({}, str, "expected a builtins.str, got int"),
        ({"answer": 1}, int, "genmem has a 'answer' of its own"),
    ],
)
def test_an_entry_of_another_class_or_of_a_name_that_is_taken_is_refused(
    own, kind, reason, in_process
):
    in_process(
        module="ANSWER = 42\n", entry_points="[test.group]\nanswer = others_package:ANSWER\n"
    )
    with pytest.raises(UsageError, match=f"plugin 'answer' of test.group: {reason}"):
        plugins.extend(own, group="test.group", kind=kind)


def test_entries_of_other_packages_follow_genmems_own(in_process):
    in_process(
        module="ANSWER = 42\n", entry_points="[test.group]\nanswer = others_package:ANSWER\n"
    )
    merged = plugins.extend({"zero": 0}, group="test.group", kind=int)
    assert list(merged.items()) == [("zero", 0), ("answer", 42)]
