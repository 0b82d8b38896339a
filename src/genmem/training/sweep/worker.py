"""A process that does one trial: `python -m genmem.training.sweep.worker FOLDER DEVICE`.

It saves and ends when it gets SIGTERM, or when its standard input is closed: whoever started it
has ended.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from genmem.errors import GenmemError
from genmem.training.common.signals import INTERRUPTED
from genmem.training.emm.trial import do_trial


def main(folder: Path, device: Any) -> int:
    """Do the trial in `folder`; returns the exit code, after at most one line on stderr."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        found = do_trial(folder, device=device)
    except GenmemError as error:
        print("genmem:", " ".join(str(error).split()), file=sys.stderr)
        return error.exit_code
    return INTERRUPTED if found is None else 0


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock a thread must not hold at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
