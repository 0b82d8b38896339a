"""Create or migrate an arena's database, and serve its pages."""

from __future__ import annotations

import os
import socket
import sys
from datetime import timedelta
from pathlib import Path

from genmem.arena import load
from genmem.arena.core.configuration import LISTENS, PARENT, read_configuration
from genmem.errors import UsageError, os_reason

_THREADS = 48
"""Concurrent requests: an upload over a slow connection occupies a thread until it ends."""


def prepare(folder: Path) -> None:
    """Load the arena in `folder`, and migrate its database to this version.

    Raises:
        UsageError: there is no arena, its settings are invalid, or its database does not respond.
    """
    load(folder)
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"the arena's database does not respond: {reason}") from error
    finally:
        connection.close()


def serve(folder: Path, *, host: str, port: int, worker: bool) -> None:
    """Serve the pages until interrupted.

    Args:
        folder: the arena's folder.
        host: address to listen on.
        port: port to listen on.
        worker: whether to start a worker that scores submissions.

    Raises:
        UsageError: as for `prepare`, or the port is in use.
    """
    shown = f"[{host}]" if ":" in host else host
    os.environ[LISTENS] = f"http://{shown}:{port}"
    if not read_configuration(folder).address and host in ("0.0.0.0", "::"):
        raise UsageError(
            f"to listen on {host}, set address in {folder / 'arena.toml'} to the public URL"
        )
    prepare(folder)
    _check_port(host, port)
    _check_storage()
    if worker:
        from genmem.arena.scoring.worker import start_worker

        start_worker(folder)
    os.environ[PARENT] = str(os.getpid())
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    print(f"Serving {folder} on http://{shown}:{port}/ (press Ctrl-C to stop)", file=sys.stderr)
    Server(
        "genmem.arena.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_THREADS,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
    ).serve()


def _check_storage() -> None:
    """Check that files can be stored, and remove what a killed process left behind."""
    from django.db import connection

    from genmem.arena.submissions.orphans import remove_orphans
    from genmem.arena.submissions.storage import check_storage

    check_storage()
    remove_orphans(older_than=timedelta(hours=1))
    connection.close()


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {os_reason(error)}; choose another with --port"
            ) from error
