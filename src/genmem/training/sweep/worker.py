"""The program of a worker process, `python -m genmem.training.sweep.worker`: one run after another.

Each line of its standard input is a `RunSpec` as JSON. Lines of its standard output are
`["progress", done, total]`, of a training's steps, about once a second; and at the end of each run
`["end", status, message]`, with the status "finished", "failed", or "stopped" (and saved). The end
of standard input, and SIGTERM, ask it to save the run in progress and to end.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any

PROGRESS_SECONDS = 1.0
"""Between two lines about progress."""


class Inbox:
    """The runs that come on standard input, read by a thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._specs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy = self._closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        """Wait for the next run; None: there will be no more."""
        with self._lock:
            self._busy = False
        spec = self._specs.get()
        with self._lock:
            self._busy = True
            return None if self._closed else spec

    def _read(self) -> None:
        for line in self._stream:
            self._specs.put(json.loads(line))
        with self._lock:
            self._closed = True
            if self._busy:
                os.kill(os.getpid(), signal.SIGTERM)
        self._specs.put(None)


def run_next(document: dict[str, Any], send: Any) -> tuple[str, str]:
    """Do a run; returns its status and a message.

    Args:
        document: a `RunSpec` as JSON.
        send: writes a line of answer.
    """
    from genmem.errors import GenmemError
    from genmem.training.sweep.run_spec import RunSpec, execute

    sent = 0.0

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal sent
        now = time.monotonic()
        if stage.startswith("training") and (done == total or now - sent > PROGRESS_SECONDS):
            sent = now
            send("progress", done, total)

    try:
        finished = execute(RunSpec.from_dict(document), progress=progress)
    except GenmemError as error:
        return "failed", " ".join(str(error).split())
    except KeyboardInterrupt:
        return "stopped", ""
    return ("finished" if finished else "stopped"), ""


def main() -> None:
    """Do all runs that come on standard input."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error

    def send(*values: Any) -> None:
        with suppress(OSError):  # nobody reads the answers any more
            os.write(answers, json.dumps(values).encode() + b"\n")

    inbox = Inbox(os.fdopen(os.dup(0), "rb", buffering=0))
    while (document := inbox.next()) is not None:
        send("end", *run_next(document, send))


if __name__ == "__main__":
    sys.exit(main())
