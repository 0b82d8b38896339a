"""Preparing an arena's database, and serving its pages."""

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
"""Requests under way at once: an upload over a slow line holds one for as long as it takes."""


def prepare(folder: Path) -> None:
    """Load the arena in `folder`, and bring its database to this version.

    Raises:
        UsageError: there is none, its settings are wrong, or its database does not answer.
    """
    load(folder)
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        said = " ".join(str(error).split())
        raise UsageError(f"the arena's database does not answer: {said}") from error
    finally:
        connection.close()


def serve(folder: Path, *, host: str, port: int, worker: bool) -> None:
    """Serve the pages until interrupted; with `worker`, score what comes in as well.

    Raises:
        UsageError: as `prepare`, or the port is taken.
    """
    shown = f"[{host}]" if ":" in host else host
    os.environ[LISTENS] = f"http://{shown}:{port}"
    if not read_configuration(folder).address and host in ("0.0.0.0", "::"):
        raise UsageError(
            f"to listen on {host}, set address in {folder / 'arena.toml'} to where people reach it"
        )
    prepare(folder)
    _refuse_taken(host, port)
    _tidy_storage()
    if worker:
        _start_worker(folder)
    os.environ[PARENT] = str(os.getpid())
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    print(f"Serving {folder} on http://{shown}:{port}/ (interrupt with Ctrl-C)", file=sys.stderr)
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


def _tidy_storage() -> None:
    """See that files can be kept, and remove what a killed process left half-done."""
    from django.db import connection

    from genmem.arena.submissions.orphans import remove_orphans
    from genmem.arena.submissions.storage import check_storage

    check_storage()
    remove_orphans(older_than=timedelta(hours=1))
    connection.close()


def _start_worker(folder: Path) -> None:
    """Start the part that scores; it returns at once and works beside the pages."""
    from genmem.arena.scoring.worker import start_worker

    start_worker(folder)


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {os_reason(error)}; choose another with --port"
            ) from error
