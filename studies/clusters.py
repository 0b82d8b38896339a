"""A temporary PostgreSQL server for tests and studies."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None if it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = shutil.which("initdb")
    if initdb:
        folders.insert(0, Path(initdb).resolve().parent)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextmanager
def cluster() -> Iterator[str]:
    """Run a new cluster; yields the URL of its empty database `arena`.

    PostgreSQL refuses to run as root: if this user is root, the cluster runs as another user.
    """
    binaries = programs()
    if binaries is None:
        raise RuntimeError("needs PostgreSQL (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="genmem-postgres-", dir="/tmp"))
    user = _other_user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    port = _free_port()
    data = folder / "data"

    def call(*words: object) -> None:
        subprocess.run(
            [str(binaries / str(words[0])), *map(str, words[1:])],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        )

    settings = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
        "-c max_connections=200"
    )
    try:
        call("initdb", "-D", data, "-U", "arena", "-A", "trust", "-E", "UTF8", "--no-sync")
        call("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
        try:
            call("createdb", "-h", "127.0.0.1", "-p", port, "-U", "arena", "arena")
            yield f"postgresql://arena@127.0.0.1:{port}/arena"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("expected a user postgres or nobody to run PostgreSQL as; neither exists")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
