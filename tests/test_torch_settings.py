"""The settings of torch under which genmem multiplies."""

import threading
from typing import Any

import pytest
import torch

from genmem.torch_settings import default_torch_settings, ieee_float32

BACKENDS: Any = torch.backends

PRECISIONS = (
    BACKENDS.cuda.matmul,
    BACKENDS.cudnn.conv,
    BACKENDS.cudnn.rnn,
    BACKENDS.mkldnn.matmul,
    BACKENDS.mkldnn.conv,
)


def precisions():
    return [setting.fp32_precision for setting in PRECISIONS]


def older_settings():
    """Their values; None for one that torch refuses to tell."""
    readers = (
        torch.get_float32_matmul_precision,
        lambda: BACKENDS.cuda.matmul.allow_tf32,
        lambda: BACKENDS.cudnn.allow_tf32,
    )
    values = []
    for read in readers:
        try:
            values.append(read())
        except RuntimeError:
            values.append(None)
    return values


@pytest.fixture(autouse=True)
def _restored():
    before = precisions()
    yield
    torch.set_float32_matmul_precision("highest")
    BACKENDS.cudnn.allow_tf32 = True
    for setting, precision in zip(PRECISIONS, before, strict=True):
        setting.fp32_precision = precision


def allow_tf32_by_name():
    torch.set_float32_matmul_precision("high")


def allow_tf32_by_backend():
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    BACKENDS.cudnn.conv.fp32_precision = "tf32"


def allow_tf32_in_matrix_products_alone():
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    BACKENDS.cudnn.conv.fp32_precision = "ieee"


def forbid_tf32_by_backend():
    BACKENDS.cudnn.conv.fp32_precision = "ieee"
    BACKENDS.cudnn.rnn.fp32_precision = "ieee"
    BACKENDS.cuda.matmul.fp32_precision = "tf32"


PROGRAMS = [
    allow_tf32_by_name,
    allow_tf32_by_backend,
    allow_tf32_in_matrix_products_alone,
    forbid_tf32_by_backend,
]


@pytest.mark.parametrize("allow", PROGRAMS)
@pytest.mark.parametrize("settings", [ieee_float32, default_torch_settings])
def test_products_are_ieee_inside_and_as_the_program_set_them_outside(settings, allow):
    allow()
    before = precisions()
    assert "tf32" in before
    older = older_settings()
    with settings():
        assert set(precisions()) == {"ieee"}
        # torch's own code reads these too, and raises where old and new contradict each other.
        assert older_settings() == ["highest", False, False]
    assert precisions() == before
    assert older_settings() == older


@pytest.mark.parametrize("enabled", [True, False])
def test_cudnn_stays_as_it_is(enabled):
    with BACKENDS.cudnn.flags(enabled=enabled, benchmark=True), default_torch_settings():
        assert BACKENDS.cudnn.enabled == enabled
        assert BACKENDS.cudnn.benchmark


def test_autocast_is_off_inside_and_on_again_outside():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with ieee_float32():
            assert not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_enabled("cpu")


def test_the_settings_return_when_the_last_of_several_threads_leaves():
    allow_tf32_by_backend()
    before = precisions()
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with ieee_float32():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=stay)
    with ieee_float32():
        thread.start()
        inside.wait()
    assert set(precisions()) == {"ieee"}
    leave.set()
    thread.join()
    assert precisions() == before


def test_an_error_inside_restores_the_settings():
    allow_tf32_by_backend()
    before = precisions()
    with pytest.raises(ValueError, match="inside"), ieee_float32():
        raise ValueError("inside")
    assert precisions() == before
