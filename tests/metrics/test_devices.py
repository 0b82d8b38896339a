"""Metrics of rows on a device, which is emulated, and of rows on two devices."""

import inspect

import numpy as np
import pytest

import genmem

from ..emulated_devices import EmulatedDevice

NAMES = (
    "authpct",
    "c_t",
    "copied_fraction",
    "coverage",
    "density",
    "fd",
    "fd_infinity",
    "kd",
    "memorization_distance",
    "memorization_ratio",
    "mifid",
    "nn_quantiles",
    "precision",
    "recall",
)
SETS = {
    role: np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    for seed, (role, count) in enumerate([("generated", 300), ("train", 400), ("test", 200)])
}


def value(name, sets):
    metric = getattr(genmem, name)
    takes = inspect.signature(metric).parameters
    options = {"mifid": {"tau": 0.5}, "kd": {"subset_size": 100}}.get(name, {})
    return float(metric(**{role: one for role, one in sets.items() if role in takes}, **options))


@pytest.mark.parametrize("on_device", [("generated", "train", "test"), ("generated",), ("train",)])
@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("name", NAMES)
def test_a_metric_of_rows_on_a_device_is_that_on_the_cpu(name, device, on_device):
    expected = value(name, SETS)
    with EmulatedDevice(device) as emulated:
        sets = {
            role: emulated.put(rows) if role in on_device else rows for role, rows in SETS.items()
        }
        assert value(name, sets) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_kd_waits_for_a_gpu_once_for_all_subsets():
    with EmulatedDevice("cuda") as emulated:
        sets = {role: emulated.put(SETS[role]) for role in ("generated", "train")}
        value("kd", sets)
    assert emulated.waits.total() <= 3
