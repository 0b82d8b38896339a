"""`genmem submit`: upload a zip to a competition, resuming an earlier attempt."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genmem.cli.options import Json

if TYPE_CHECKING:
    from genmem.arena.client import CompetitionClient
    from genmem.images.source import Progress

_POLL_SECONDS = 3.0
_DONE = ("scored", "refused", "failed")


def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Zip of images or of code.")],
    to: Annotated[
        str,
        typer.Option(metavar="URL", help="Page of the competition: https://HOST/c/COMPETITION."),
    ],
    kind: Annotated[
        Literal["images", "code"] | None,
        typer.Option(help="Content of the zip. [default: what the competition accepts]"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GENMEM_TOKEN",
            help="API token from your account page. Safer in the environment variable.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the score.")] = False,
    json: Json = None,
) -> None:
    """Upload a submission to a competition.

    Broken connections are resumed automatically. After an interruption, run the same command again
    to resume. Exits with 2 if the submission is refused or, with `--wait`, if scoring fails.
    """
    from genmem.arena.client import CompetitionClient, check_file, sha256_of
    from genmem.cli.outputs import check_outputs, write_json
    from genmem.progress import progress_on_stderr

    size = check_file(file)
    check_outputs({"--json": json}, inputs={"FILE": str(file)})
    client = CompetitionClient(to, token or "")
    competition = client.competition()
    submission_kind = kind or _only_kind(competition)
    _print_limits(client, competition)
    with progress_on_stderr() as progress:
        digest = sha256_of(file, _in_kilobytes(progress, "SHA-256 (kB)"))
        sent = _in_kilobytes(progress, "sent (kB)")
        pk = client.upload(file, kind=submission_kind, size=size, sha256=digest, progress=sent)
    submission = _wait(client, pk) if wait else client.submission(pk)
    if json:
        write_json(submission, json)
    if json != "-":
        _print_submission(client, submission)
    if submission["state"] in ("refused", "failed"):
        raise typer.Exit(2)


def _only_kind(competition: dict[str, Any]) -> str:
    from genmem.errors import UsageError

    kinds = competition["kinds"]
    if len(kinds) != 1:
        raise UsageError(f"this competition accepts {' and '.join(kinds)}; choose one with --kind")
    return kinds[0]


def _print_limits(client: CompetitionClient, competition: dict[str, Any]) -> None:
    """Print the limits of the competition to stderr before the upload."""
    from genmem.arena.client import parse_time
    from genmem.arena.core.formatting import moment, size
    from genmem.formatting import count

    team = client.team()
    _note(
        f"{competition['title']}, for the team {team['name']}: a zip of at most "
        f"{size(competition['maximum_upload_bytes'])}; "
        f"{team['left_today']} of {count(competition['daily_limit'], 'submission')} left today; "
        f"deadline {moment(parse_time(competition['closes_at']))}."
    )


def _wait(client: CompetitionClient, pk: str) -> dict[str, Any]:
    """Poll until the submission is scored, refused or failed; print each step as it begins."""
    import time

    printed = ""
    while True:
        submission = client.submission(pk)
        if submission["state"] in _DONE:
            return submission
        running = [step["name"] for step in submission["steps"] if step["state"] == "running"]
        status = running[0] if running else "waiting for a worker"
        if status != printed:
            printed = status
            _note(f"{status} …")
        time.sleep(_POLL_SECONDS)


def _print_submission(client: CompetitionClient, submission: dict[str, Any]) -> None:
    from genmem.arena.core.formatting import score
    from genmem.formatting import printable

    lines = [f"{submission['state'].capitalize()}: {client.root}{submission['page']}"]
    lines += [
        f"  {kind} score  {score(version['score'])}"
        for kind, version in sorted(submission["scores"].items(), reverse=True)
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
