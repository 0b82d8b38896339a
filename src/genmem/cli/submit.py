"""`genmem submit`: send a zip to a competition, resuming where an earlier attempt stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genmem.cli.options import Json

if TYPE_CHECKING:
    from genmem.arena.client import Server
    from genmem.images.source import Progress

_POLL_SECONDS = 3.0
_DONE = ("scored", "refused", "failed")


def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip of images or of code.")],
    to: Annotated[
        str,
        typer.Option(metavar="URL", help="Page of the competition: https://HOST/c/COMPETITION."),
    ],
    kind: Annotated[
        Literal["images", "code"] | None,
        typer.Option(help="What is in the zip. [default: what the competition takes]"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GENMEM_TOKEN",
            help="Yours, from your account's page; better given in the environment than here.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is scored.")] = False,
    json: Json = None,
) -> None:
    """Send a submission to a competition.

    A broken connection is taken up again by itself. If this is interrupted, run it again: it goes
    on where it stopped. Exit code 2: it was not taken, or (with --wait) not scored.
    """
    from genmem.arena.client import Server, check_file, sha256_of
    from genmem.cli.outputs import check_outputs, write_json
    from genmem.cli.progress import progress_on_stderr

    size = check_file(file)
    check_outputs({"--json": json}, inputs={"FILE": str(file)})
    server = Server(to, token or "")
    competition = server.competition()
    what = kind or _only_kind(competition)
    _tell_limits(server, competition)
    with progress_on_stderr() as progress:
        digest = sha256_of(file, _in_kilobytes(progress, "SHA-256 (kB)"))
        sent = _in_kilobytes(progress, "sent (kB)")
        number = server.send(file, kind=what, size=size, sha256=digest, progress=sent)
    submission = _waited_for(server, number) if wait else server.submission(number)
    if json:
        write_json(submission, json)
    if json != "-":
        _show(server, submission)
    if submission["state"] in ("refused", "failed"):
        raise typer.Exit(2)


def _only_kind(competition: dict[str, Any]) -> str:
    from genmem.errors import UsageError

    kinds = competition["kinds"]
    if len(kinds) != 1:
        raise UsageError(f"this competition takes {' and '.join(kinds)}: say which with --kind")
    return kinds[0]


def _tell_limits(server: Server, competition: dict[str, Any]) -> None:
    """Before a byte is sent, what is taken; on stderr."""
    from genmem.arena.client import when
    from genmem.arena.core.formatting import moment, size
    from genmem.formatting import count

    team = server.team()
    _note(
        f"{competition['title']}, for the team {team['name']}: a zip of at most "
        f"{size(competition['maximum_upload_bytes'])}; "
        f"{team['left_today']} of {count(competition['daily_limit'], 'submission')} left today; "
        f"deadline {moment(when(competition['closes_at']))}."
    )


def _waited_for(server: Server, number: str) -> dict[str, Any]:
    """The submission once it is scored, refused or failed; each step is told as it begins."""
    import time

    told = ""
    while True:
        found = server.submission(number)
        if found["state"] in _DONE:
            return found
        running = next((one["name"] for one in found["steps"] if one["state"] == "running"), "")
        if (running or "waiting for a worker") != told:
            told = running or "waiting for a worker"
            _note(f"{told} …")
        time.sleep(_POLL_SECONDS)


def _show(server: Server, submission: dict[str, Any]) -> None:
    from genmem.arena.core.formatting import score
    from genmem.formatting import printable

    lines = [f"{submission['state'].capitalize()}: {server.root}{submission['page']}"]
    lines += [
        f"  {kind} score  {score(told['score'])}"
        for kind, told in sorted(submission["scores"].items(), reverse=True)
    ]
    lines += [f"  {line}" for line in submission["message"].splitlines()]
    print("\n".join(printable(line) for line in lines))


def _note(text: str) -> None:
    from genmem.formatting import printable

    print(printable(text), file=sys.stderr, flush=True)


def _in_kilobytes(progress: Progress, stage: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        progress(stage, -(-done // 1000), -(-total // 1000))

    return show
