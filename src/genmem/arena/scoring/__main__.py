"""A worker or its keeper as a process: `python -m genmem.arena.scoring DIR [--keep]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from genmem.arena.scoring.worker import keep, work
from genmem.errors import GenmemError


def main() -> int:
    """Read the arguments, and be what they say."""
    parser = argparse.ArgumentParser(prog="genmem.arena.scoring")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--parent", type=int)
    given = parser.parse_args()
    try:
        if given.keep:
            return keep(given.folder, parent=given.parent)
        work(given.folder, parent=given.parent)
    except GenmemError as error:
        print(f"genmem: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
