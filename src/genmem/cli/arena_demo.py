"""`genmem arena demo`: a small competition to look around in, on digits that need no download."""

from __future__ import annotations

import sys
import time
from pathlib import Path

MARKER = "made-by-genmem-arena-demo.txt"


def make(folder: Path) -> None:
    """Make the demo's arena in `folder`; one that is there already stays as it is.

    A worker runs beside this process afterwards.

    Raises:
        UsageError: the folder holds something else.
    """
    from genmem.arena.core.configuration import write_new
    from genmem.arena.scoring.worker import start_worker
    from genmem.arena.serving import prepare
    from genmem.errors import UsageError

    if (folder / MARKER).is_file():
        prepare(folder)
        start_worker(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds other files, or a demo that was not finished; remove it, or name a "
            "new folder"
        )
    from genmem.demo.arena_entries import demo_competition

    print(f"Making the demo in {folder}: two competitions, seven teams, honest and not.")
    digits = demo_competition(seed=0)
    write_new(folder)
    prepare(folder)
    from genmem.arena import demo

    demo.fill(folder, digits.train, digits.entries)
    start_worker(folder)
    demo.wait_until_scored(since=time.monotonic())
    demo.close_and_review(digits.entries)
    (folder / MARKER).write_text("`genmem arena demo` made this folder and serves it again.\n")


def say_who_is_there(port: int) -> None:
    """Tell the addresses of people to sign in as."""
    from genmem.arena.demo import ORGANISER, PASSWORD, REVIEWERS

    print(f"Open http://127.0.0.1:{port}/ and sign in; the password is always {PASSWORD}:")
    print(f"  {ORGANISER}    runs the site")
    print(f"  {', '.join(REVIEWERS)}    review")
    print("  halcyon@example.org, quiet.fox@example.org, …    lead teams")
    sys.stdout.flush()
