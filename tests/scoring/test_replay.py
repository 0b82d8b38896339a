"""A score of the training set itself says that its MiFID means nothing, in every output."""

import json
from pathlib import Path

import numpy as np
import pytest

import genmem
from genmem.cli.app import run
from genmem.report.score.interpretation import interpret


@pytest.fixture
def train():
    return np.abs(np.random.default_rng(0).normal(size=(600, 64))).astype(np.float32)


def test_the_score_reads_a_replay_as_one_and_keeps_the_published_number(train):
    rng = np.random.default_rng(1)
    replay = genmem.score(generated=train[rng.permutation(600)], train=train, tau=0.1)
    mifid = replay["mifid"]
    parts = mifid.parts
    assert parts["replay"]
    assert mifid.interval is None
    assert mifid.value == parts["fd"] / (parts["memorization_distance"] + 1e-15)
    reading = interpret(replay)["mifid"]
    assert "means nothing" in reading.finding
    assert reading.evidence == "doubt"


def test_a_replay_with_noise_and_a_replay_of_half_are_penalized_and_no_replay(train):
    rng = np.random.default_rng(1)
    for generated in (train + rng.normal(0, 1e-3, train.shape).astype(np.float32), train[:300]):
        mifid = genmem.score(generated=generated, train=train, tau=0.1, metrics=["mifid"])["mifid"]
        assert (mifid.parts["penalized"], mifid.parts["replay"]) == (True, False)


def test_the_command_says_it_in_the_table_on_stderr_in_json_and_in_the_report(
    train, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    np.save("train.npy", train)
    np.save("copies.npy", train[::-1])
    line = "score copies.npy --train train.npy --tau 0.1 --metrics mifid --json s.json"
    assert run([*line.split(), "--report", "r.html"]) == 0
    captured = capsys.readouterr()
    assert "means nothing" in " ".join(captured.out.split())
    assert "mifid: replay of the training set" in captured.err
    document = json.loads(Path("s.json").read_text(encoding="utf-8"))
    assert document["metrics"]["mifid"]["parts"]["replay"] is True
    assert "means nothing" in Path("r.html").read_text(encoding="utf-8")
