"""`python -m genmem.arena.sandbox RECORD`: supervise the run of RECORD; used by `start`.

Without RECORD: print the self-check of this machine; exit code 1 if isolation does not hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

from genmem.arena.sandbox import checks, supervisor
from genmem.io.streams import prepare_streams


def main(arguments: list[str]) -> int:
    """Supervise a run, or print the self-check; returns the exit code."""
    if arguments:
        supervisor.detach(Path(arguments[0]))
        return 0
    prepare_streams()
    report = checks.self_check()
    print(f"{report.runner}; {report.user}; {report.limits}")
    for check in report.checks:
        print(f"{'held' if check.held else 'FAILED'}  {check.name}  {check.detail}")
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
