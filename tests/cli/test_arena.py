"""`genmem arena …` as a person types it: made, filled and served in a few seconds."""

import os
import socket
import subprocess
import sys
import urllib.request

import pytest

from ..arena.live_server import free_port, genmem


def get(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.status, answer.headers, answer.read().decode()


def test_arena_alone_lists_its_commands():
    shown = genmem().stdout
    assert all(f"  {name} " in shown for name in ("init", "serve", "create", "organizer"))


def test_the_help_of_genmem_does_not_load_django():
    code = (
        "import sys; from genmem.cli.app import run; run(['--help']); run(['arena', '--help']);"
        "print(sorted({'django', 'genmem.arena', 'yaml'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_the_competition_is_served(arena_url):
    status, headers, page = get(arena_url + "/c/dogs/")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "How submissions are ranked" in page


def test_the_style_sheet_is_served_for_ever_under_a_name_of_its_own(arena_url):
    import re

    style = re.search(r'href="(/static/\w+/arena\.css)"', get(arena_url)[2])
    assert style is not None
    status, headers, text = get(arena_url + style[1])
    assert status == 200
    assert "max-age=31536000" in headers["Cache-Control"]
    assert "--page" in text


def test_listening_everywhere_needs_an_address(arena_folder):
    done = genmem("serve", arena_folder, "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "set address in" in done.stderr


def test_a_port_that_is_taken_is_one_line(arena_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = genmem("serve", arena_folder, "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "choose another with --port" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "create", "organizer"])
def test_a_folder_without_an_arena_is_one_line(tmp_path, command):
    more = {"create": ["c.yaml"], "organizer": ["o@example.org"]}.get(command, [])
    done = genmem(command, tmp_path, *more)
    assert done.returncode == 2
    assert done.stderr.startswith("genmem: ")
    assert "holds no arena" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_line(arena_folder, tmp_path):
    genmem("init", tmp_path / "B")
    (tmp_path / "B" / "arena.toml").write_text("adress = 'http://x'")
    done = genmem("serve", tmp_path / "B")
    assert done.returncode == 2
    assert "did you mean address?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_that_does_not_respond_is_one_line(tmp_path):
    genmem("init", tmp_path / "B")
    database = f"database = 'postgresql://me:hush@127.0.0.1:{free_port()}/arena'"
    (tmp_path / "B" / "arena.toml").write_text(database)
    done = genmem("serve", tmp_path / "B")
    assert done.returncode == 2
    assert "database does not respond" in done.stderr
    assert "hush" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_organizer_is_made_and_the_password_shown(arena_folder):
    done = genmem("organizer", arena_folder, "o@example.org")
    assert done.returncode == 0
    assert "Password, shown only now: " in done.stdout
    assert "Password" not in genmem("organizer", arena_folder, "o@example.org").stdout


def test_models_and_migrations_agree(arena_folder):
    code = (
        f"from genmem.arena import load; load({str(arena_folder)!r});"
        "from django.core.management import call_command as c;"
        "c('makemigrations', check=True, dry_run=True); c('check', fail_level='WARNING')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_are_served_without_torch(arena_folder):
    """It would make a small server slow to begin, and four times as large."""
    script = (
        "import sys; import genmem.arena.wsgi; from django.urls import get_resolver; "
        "get_resolver()._populate(); sys.exit('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"GENMEM_ARENA": str(arena_folder)},
        timeout=120,
        check=False,
    )
    assert found.returncode == 0
