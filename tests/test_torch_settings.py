"""The settings of torch under which genmem multiplies."""

import threading

import pytest
import torch

from genmem.torch_settings import default_torch_settings, ieee_float32

BACKENDS = torch.backends

PRECISIONS = (
    BACKENDS.cuda.matmul,
    BACKENDS.cudnn.conv,
    BACKENDS.cudnn.rnn,
    BACKENDS.mkldnn.matmul,
    BACKENDS.mkldnn.conv,
)


def precisions():
    return [setting.fp32_precision for setting in PRECISIONS]


@pytest.fixture(autouse=True)
def _restored():
    before = precisions()
    yield
    for setting, precision in zip(PRECISIONS, before, strict=True):
        setting.fp32_precision = precision


def allow_tf32_by_name():
    torch.set_float32_matmul_precision("high")


def allow_tf32_by_backend():
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    BACKENDS.cudnn.conv.fp32_precision = "tf32"


@pytest.mark.parametrize("allow", [allow_tf32_by_name, allow_tf32_by_backend])
@pytest.mark.parametrize("settings", [ieee_float32, default_torch_settings])
def test_products_are_ieee_inside_and_as_the_program_set_them_outside(settings, allow):
    allow()
    before = precisions()
    assert "tf32" in before
    with settings():
        assert set(precisions()) == {"ieee"}
    assert precisions() == before


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
