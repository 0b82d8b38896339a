"""The one door: names, laziness, and the layers behind it."""

import ast
import copy
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import genmem
from genmem.metrics import built_in


def test_every_public_name_can_be_imported_and_is_documented():
    for name in genmem.__all__:
        assert getattr(genmem, name).__doc__, name


def test_type_checkers_see_the_public_function_of_every_metric():
    tree = ast.parse(Path(built_in.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and "genmem.metrics." in node.module
        for alias in node.names
    }
    assert sorted(built_in.BUILT_IN) == built_in.__all__
    for name in built_in.BUILT_IN:
        assert getattr(genmem, name) is getattr(importlib.import_module(imported[name]), name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fidd'"):
        genmem.fidd  # noqa: B018


def test_importing_genmem_loads_nothing_heavy():
    code = (
        "import sys, genmem; "
        "print(sorted({'torch', 'numpy', 'PIL', 'sklearn', 'onnxruntime'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_do_not_vanish_with_an_extra():
    code = (
        "import sys\n"
        "for extra in ('torchmetrics', 'pytorch_fid', 'cleanfid'):\n"
        "    sys.modules[extra] = None\n"
        "import genmem\n"
        "print(all(getattr(genmem, name) is not None for name in genmem.__all__))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_results_and_accumulators_travel_between_processes():
    generated, train = np.random.default_rng(0).normal(size=(2, 40, 6)).astype(np.float32)
    distance, moments = genmem.MemorizationDistance(train=train), genmem.Moments()
    search, running = genmem.NearestNeighbors(generated), genmem.RunningScore(train=train)
    distance.update(generated)
    moments.update(generated)
    search.update(train)
    running.update(generated)
    score = genmem.score(generated=generated, train=train)
    for travel in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        assert float(travel(distance).compute()) == float(distance.compute())
        assert np.array_equal(travel(moments).compute()[1], moments.compute()[1])
        assert np.array_equal(travel(search).compute().distances, search.compute().distances)
        assert travel(running).compute().metrics == score.metrics
        assert travel(score).to_dict() == score.to_dict()
        with genmem.audit(generated=generated, train=train) as audit:
            assert np.array_equal(travel(audit).p_values, audit.p_values)
