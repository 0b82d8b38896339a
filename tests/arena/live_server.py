"""An arena as people start it: made and served by the command line, in processes of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from genmem.cli.app import main; main()", "arena"]
COMPETITION = """
title: Dogs
slug: dogs
rules: Be **fair**.
opens_at: 2026-01-01T00:00Z
closes_at: 2099-01-01T00:00Z
daily_limit: 100
image_count: 4
image_width: 8
image_height: 8
public: {backbone: pixels, train: data/train}
private: {backbone: pixels, train: data/train, tau: 0.2}
"""


def genmem(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make(
    folder: Path, competition: str = COMPETITION, train: Mapping[str, bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """An arena with one competition and its training images; what `genmem arena create` said."""
    assert genmem("init", folder).returncode == 0
    (folder / "data" / "train").mkdir()
    for name, content in (train or {}).items():
        (folder / "data" / "train" / name).write_bytes(content)
    (folder / "c.yaml").write_text(competition)
    return genmem("create", folder, folder / "c.yaml")


@contextmanager
def serving(folder: Path, *, worker: bool = False) -> Iterator[str]:
    """The address at which it answers, with or without a worker that scores."""
    port = free_port()
    process = subprocess.Popen(
        [
            *COMMAND,
            "serve",
            str(folder),
            "--port",
            str(port),
            "--worker" if worker else "--no-worker",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def arena_folder(tmp_path_factory) -> Path:
    """The folder of an arena with one competition, created by the command line."""
    folder = tmp_path_factory.mktemp("served") / "A"
    done = make(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Created Dogs: http://127.0.0.1:8000/c/dogs/\n"
    return folder


@pytest.fixture(scope="session")
def arena_url(arena_folder) -> Iterator[str]:
    """The address of that arena while it is served."""
    with serving(arena_folder) as address:
        yield address
