"""The one door: names, laziness, and the layers behind it."""

import subprocess
import sys

import pytest

import genmem


def test_every_public_name_can_be_imported_and_is_documented():
    for name in genmem.__all__:
        assert getattr(genmem, name).__doc__, name


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
