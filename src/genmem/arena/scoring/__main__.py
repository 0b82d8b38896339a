"""A worker or its supervisor as a process: `python -m genmem.arena.scoring DIR [--supervise]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from genmem.arena.scoring.worker import supervise, work
from genmem.errors import GenmemError


def main() -> int:
    """Run a worker, or its supervisor; returns the exit code."""
    parser = argparse.ArgumentParser(prog="genmem.arena.scoring")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--supervise", action="store_true", help="Restart the worker when it dies.")
    parser.add_argument("--parent", type=int, help="Process id of the parent to end with.")
    arguments = parser.parse_args()
    try:
        if arguments.supervise:
            return supervise(arguments.folder, parent=arguments.parent)
        work(arguments.folder, parent=arguments.parent)
    except GenmemError as error:
        print(f"genmem: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
