"""`genmem arena demo`: an arena to look around in, on digits that need no download."""

from __future__ import annotations

import time
from pathlib import Path

from genmem.errors import UsageError

MARKER = "made-by-genmem-arena-demo.txt"


def build_demo_arena(folder: Path) -> None:
    """Build the demo's arena in `folder`, and start a worker; an existing demo is only started.

    Raises:
        UsageError: the folder holds something else.
    """
    from genmem.arena.core.configuration import write_new
    from genmem.arena.scoring.worker import start_worker
    from genmem.arena.serving import prepare

    if (folder / MARKER).is_file():
        prepare(folder)
        start_worker(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds other files or an unfinished demo; remove it, or choose a new folder"
        )
    from genmem.demo.arena_submissions import demo_competition

    print(f"Building the demo in {folder}: two competitions, seven teams, honest and copying.")
    data = demo_competition(seed=0)
    write_new(folder)
    prepare(folder)
    from genmem.demo import arena_contents

    arena_contents.fill(folder, data)
    start_worker(folder)
    arena_contents.wait_until_scored(since=time.monotonic())
    arena_contents.close_and_review(data)
    (folder / MARKER).write_text(
        "`genmem arena demo` made this folder and serves it again.\n", encoding="utf-8"
    )


def print_accounts(port: int) -> None:
    """Print the address, and the accounts to sign in with."""
    from genmem.demo.arena_contents import ORGANIZER, PASSWORD, REVIEWERS

    print(f"Open http://127.0.0.1:{port}/ and sign in. The password is always {PASSWORD}:")
    print(f"  {ORGANIZER}    runs the site")
    print(f"  {', '.join(REVIEWERS)}    review")
    print("  halcyon@example.org, quiet.fox@example.org, …    lead teams", flush=True)
