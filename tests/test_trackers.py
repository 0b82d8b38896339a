"""A score's numbers reach the trackers that people use, each by its own way to take scalars."""

import csv

import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger

import genmem
from genmem import UsageError
from genmem.trackers import log_values


@pytest.fixture(scope="module")
def score():
    generated, train, test = np.random.default_rng(0).normal(size=(3, 60, 4))
    return genmem.score(generated=generated, train=train, test=test, metrics=["fd", "c_t"])


class Writer:
    """As TensorBoard's SummaryWriter."""

    def __init__(self):
        self.scalars = []

    def add_scalar(self, tag, scalar_value, global_step=None, walltime=None):
        self.scalars.append((tag, scalar_value, global_step))


class Run:
    """As a run of wandb, or the module trackio."""

    def log(self, data, step=None):
        self.logged = data, step


def test_a_lightning_logger_writes_them(score, tmp_path):
    logger = CSVLogger(tmp_path)
    score.log(logger, step=7)
    logger.save()
    table = tmp_path / "lightning_logs" / "version_0" / "metrics.csv"
    [row] = csv.DictReader(table.read_text().splitlines())
    assert int(row["step"]) == 7
    assert float(row["genmem/fd"]) == score["fd"].value


def test_each_tracker_is_known_by_its_way_to_take_scalars(score):
    writer, run, calls = Writer(), Run(), []
    score.log(writer, step=3)
    assert ("genmem/c_t", score["c_t"].value, 3) in writer.scalars
    score.log(run, prefix="copying/")
    assert run.logged == ({f"copying/{name}": result.value for name, result in score.items()}, None)
    score.log(lambda values, step: calls.append((values, step)), step=1)
    assert calls == [({f"genmem/{name}": result.value for name, result in score.items()}, 1)]


def test_several_spaces_have_names_that_trackers_take():
    images = np.random.default_rng(1).integers(0, 256, (3, 40, 8, 8, 3), dtype=np.uint8)
    generated, train, test = images
    score = genmem.score(
        generated=generated, train=train, test=test, backbone=["pixels", "pixels@4"], metrics=["fd"]
    )
    run = Run()
    score.log(run)
    names, _ = run.logged
    assert names["genmem/pixels-4/fd"] == score.spaces["pixels@4"]["fd"].value


def test_values_that_are_not_finite_are_left_out():
    run = Run()
    log_values({"a": float("nan"), "b": 1.0}, run)
    assert run.logged == ({"b": 1.0}, None)


@pytest.mark.parametrize("tracker", ["wandb", None, 3])
def test_anything_else_is_refused(score, tracker):
    with pytest.raises(UsageError, match="SummaryWriter"):
        score.log(tracker)
