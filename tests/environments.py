"""Machines as containers and full disks make them: fixtures."""

import importlib
import os
import pwd
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def no_home(monkeypatch):
    """No $HOME, and a user id without an account."""
    importlib.import_module("huggingface_hub.constants")  # reads $HOME once, for the whole process

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert os.path.expanduser("~") == "~"  # noqa: PTH111


@pytest.fixture
def full_disk(monkeypatch):
    """A block in which every unnamed temporary file is on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")

    @contextmanager
    def block():
        with monkeypatch.context() as patch:
            patch.setattr(
                tempfile,
                "TemporaryFile",
                lambda **_: open("/dev/full", "w+b"),  # noqa: PTH123, SIM115
            )
            yield

    return block
