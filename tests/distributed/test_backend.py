"""What `genmem.score` and the commands hand to a cluster changes no number."""

import json
from pathlib import Path

import numpy as np
import pytest

import genmem
from genmem.arrays import as_array
from genmem.cli.app import run
from genmem.distributed import backend, use_workers
from genmem.distributed.shards import FileShard, shards_of
from genmem.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files it leaves to its processes


@pytest.fixture
def everything(monkeypatch):
    """Nothing is too small for the cluster."""
    monkeypatch.setattr(backend, "LEAST_PAIR_VALUES", 0)
    monkeypatch.setattr(backend, "LEAST_VALUES", 0)
    monkeypatch.setattr("genmem.distributed.shards._LEAST_ROWS", 1)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    train = rng.normal(size=(400, 6)).astype(np.float32)
    rows = {
        "train": train,
        "test": rng.normal(size=(100, 6)),
        "generated": np.concatenate([train[:20], rng.normal(size=(80, 6))]),
    }
    for role, array in rows.items():
        np.save(tmp_path / f"{role}.npy", array.astype(np.float32))
    return {role: str(tmp_path / f"{role}.npy") for role in rows}


def numbers(document):
    """A result without times and the time of day."""
    return {key: value for key, value in document.items() if key not in ("seconds", "provenance")}


def test_a_score_has_the_same_numbers(cluster, files, everything):
    here = genmem.score(**files)
    stages = set()
    there = genmem.score(**files, ray="local", progress=lambda stage, *_: stages.add(stage))
    assert numbers(there.to_dict()) == numbers(here.to_dict())
    assert {"moments", "comparing 100 rows with references"} <= stages


def test_commands_print_the_same_on_a_cluster_and_their_cost_first(
    cluster, files, everything, capsys, tmp_path
):
    options = [files["generated"], "--train", files["train"], "--test", files["test"]]
    outputs = []
    for more in ([], ["--ray", "local"]):
        assert run(["score", *options, *more, "--json", "-"]) == 0
        captured = capsys.readouterr()
        outputs.append(numbers(json.loads(captured.out)))
        assert ("plan: " in captured.err) == bool(more)
    assert outputs[0] == outputs[1]
    out = ["--out", str(tmp_path / "audit")]
    assert run(["audit", *options, *out, "--ray", "local"]) == 0
    assert "plan: 8e+04 pairs of rows to compare; about 1.0 s with" in capsys.readouterr().err


def test_features_on_a_cluster_are_the_same_file(cluster, capsys, tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, size=(20, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    for name, more in (("here", []), ("there", ["--ray", "local"])):
        monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / name / "cache"))
        out = ["--out", str(tmp_path / f"{name}.npy"), "--backbone", "pixels"]
        assert run(["features", str(tmp_path / "images.npy"), *out, *more]) == 0
    assert (tmp_path / "here.npy").read_bytes() == (tmp_path / "there.npy").read_bytes()
    assert "plan: at most 20 images to embed" in capsys.readouterr().err


def test_a_dry_run_prints_the_cost_and_does_nothing(files, capsys, tmp_path):
    pixels = np.zeros((30, 8, 8, 3), np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    out = tmp_path / "out.npy"
    command = ["features", str(tmp_path / "images.npy"), "--backbone", "pixels", "--out", str(out)]
    assert run([*command, "--dry-run"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("plan: at most 30 images to embed; 0.0 GB of features; about 1.0 s with")
    assert not out.exists()
    for command in (
        ["score", files["generated"], "--train", files["train"]],
        ["audit", files["generated"], "--train", files["train"], "--out", str(tmp_path / "audit")],
        ["reference", files["train"], "--out", str(tmp_path / "train.genmem")],
        [
            "calibrate",
            f"{files['test']}=honest",
            f"{files['generated']}=mgan",
            "--train",
            files["train"],
        ],
    ):
        assert run([*command, "--dry-run"]) == 0
        assert "pairs of rows to compare; about" in capsys.readouterr().out
    assert not (tmp_path / "audit").exists()


def test_workers_are_of_this_machine_or_of_a_cluster():
    for arguments, words in (
        ((None, 0), "at least 1, got 0"),
        (("head:6379", 2), "a cluster at an address has its own"),
    ):
        with pytest.raises(UsageError, match=words), use_workers(*arguments):
            pass


def test_a_memory_map_and_its_slices_stay_in_their_file(cluster, tmp_path, everything):
    rows = np.arange(600, dtype=np.float32).reshape(100, 6)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for array in (mapped, mapped[10:], mapped[10:20][3:], as_array(mapped, role="rows"), rows):
        shards = shards_of(array, cluster)
        assert all(isinstance(shard, FileShard) for shard in shards) == (array is not rows)
        joined = np.concatenate([shard.open() for shard in shards])
        assert joined.tobytes() == array.tobytes()
    assert not any(isinstance(shard, FileShard) for shard in shards_of(mapped[:, :3], cluster))


def test_the_cluster_file_of_the_docs_is_one_that_ray_accepts():
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    text = (Path(__file__).parents[2] / "docs" / "ray-cluster.yaml").read_text()
    validate_config(prepare_config(yaml.safe_load(text)))
