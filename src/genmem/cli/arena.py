"""`genmem arena …`: create, fill and serve a competition server."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from genmem.cli.options import command_group

arena = command_group("arena", "Host a competition in which copying does not pay.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the arena.")]

_PACKAGES = ("django", "allauth", "granian", "whitenoise", "yaml", "nh3", "markdown_it")


@arena.command()
def init(folder: Folder) -> None:
    """Create an arena: settings, a secret and an empty database."""
    _require_extra()
    from genmem.arena.core.configuration import write_new
    from genmem.arena.serving import prepare

    write_new(folder)
    prepare(folder)
    print(f"Created an arena in {folder}. Its settings are in {folder / 'arena.toml'}.")
    print("Next:")
    print(f"  genmem arena organizer {folder} YOU@EXAMPLE.ORG")
    print(f"  genmem arena create {folder} competition.yaml")
    print(f"  genmem arena serve {folder}")


@arena.command()
def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
    worker: Annotated[
        bool,
        typer.Option("--worker/--no-worker", help="Also start a worker that scores submissions."),
    ] = True,
) -> None:
    """Serve the pages and score submissions until interrupted."""
    _require_extra()
    from genmem.arena.serving import serve as serve_arena

    serve_arena(folder, host=host, port=port, worker=worker)


@arena.command()
def worker(folder: Folder) -> None:
    """Run one more worker that scores submissions, until interrupted."""
    _require_extra()
    from genmem.arena.core.configuration import read_configuration
    from genmem.arena.scoring.worker import supervise

    read_configuration(folder)
    code = supervise(folder)
    if code:
        raise typer.Exit(code)


@arena.command()
def create(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The competition as YAML.")],
) -> None:
    """Create a competition from a YAML file."""
    _require_extra()
    from genmem.arena.serving import prepare

    prepare(folder)
    from django.conf import settings

    from genmem.arena.competitions.yaml_file import create_from_yaml

    competition = create_from_yaml(file)
    print(f"Created {competition.title}: {settings.ARENA.public_address}/c/{competition.slug}/")


@arena.command()
def organizer(
    folder: Folder,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address.")],
    name: Annotated[str, typer.Option(help="Display name of a new account.")] = "",
) -> None:
    """Make somebody an organizer of the site. Creates an account if there is none."""
    _require_extra()
    from genmem.arena.serving import prepare

    prepare(folder)
    from genmem.arena.accounts.organizers import create_organizer

    password = create_organizer(email, name)
    print(f"{email} is an organizer of this site.")
    if password:
        print(f"Password, shown only now: {password}")


@arena.command()
def export(
    folder: Folder,
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Short name of the competition.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output directory.")],
    private: Annotated[
        bool,
        typer.Option("--private", help="Include the private split even while it is hidden."),
    ] = False,
    with_names: Annotated[
        bool,
        typer.Option("--with-names", help="Include names and free text written by participants."),
    ] = False,
    agreed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="E-mail addresses of people who may be named, one per line.",
        ),
    ] = None,
) -> None:
    """Export a competition's data as pseudonymized tables with a datasheet."""
    _require_extra()
    from genmem.arena.serving import prepare

    prepare(folder)
    from genmem.arena.export.command import export_by_slug

    for line in export_by_slug(slug, out, private=private, names=with_names, agreed=agreed):
        print(line)


@arena.command()
def demo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[DIR]", help="Folder of the demo. An existing demo is served again."
        ),
    ] = Path("arena-demo"),
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
) -> None:
    """Create a small competition with teams, scores and cheats, and serve it."""
    _require_extra()
    from genmem.arena.serving import serve as serve_arena
    from genmem.demo.arena import build_demo_arena, print_accounts

    build_demo_arena(folder)
    print_accounts(port)
    serve_arena(folder, host="127.0.0.1", port=port, worker=False)


def _require_extra() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        from genmem.errors import UsageError

        raise UsageError(
            f"the arena needs {', '.join(missing)}; install it with: pip install 'genmem[arena]'"
        )
