"""`arena.toml`: every mistake in it is one clear line."""

import runpy
import stat
from pathlib import Path

import pytest

import genmem.arena
from genmem.arena.core.configuration import Configuration, read_configuration, write_new
from genmem.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    write_new(tmp_path / "a")
    return tmp_path / "a"


def write(folder, text):
    (folder / "arena.toml").write_text(text, encoding="utf-8")


def test_what_is_written_first_says_the_defaults(folder):
    found = read_configuration(folder)
    assert found == Configuration(folder=folder.resolve(), secret=found.secret)
    write(folder, "")
    assert read_configuration(folder) == found


def test_every_setting_is_in_the_file_that_is_written_first(folder):
    import tomllib
    from dataclasses import fields

    written = tomllib.loads((folder / "arena.toml").read_text(encoding="utf-8"))
    assert set(written) == {f.name for f in fields(Configuration)} - {"folder", "secret"}


def test_the_secret_is_long_random_and_its_owners_only(folder, tmp_path):
    write_new(tmp_path / "b")
    assert read_configuration(folder).secret != read_configuration(tmp_path / "b").secret
    assert len(read_configuration(folder).secret) >= 48
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_an_arena_is_never_written_over(folder):
    with pytest.raises(UsageError, match="already holds an arena"):
        write_new(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "expected TOML"),
        ("adress = 'http://x'", "there is no setting 'adress'; did you mean address?"),
        ("color = 'red'", "known are name, address"),
        ("secret = 'x'", "there is no setting 'secret'"),
        ("name = 3", "name: expected a text, got 3"),
        ("name = '  '", "name: expected a text, got only spaces"),
        ("signup = 'yes'", "signup: expected true or false, got 'yes'"),
        ("data_folders = 'data'", "data_folders: expected a list of texts"),
        ("data_folders = ['data', '']", "data_folders: expected a value, got an empty text"),
        ("storage = ' '", "storage: expected a value, got an empty text"),
        ("data_folders = [1]", "data_folders: expected a list of texts"),
        ("address = 'example.org'", "address: expected http"),
        ("address = 'https://example.org/arena'", "address: expected http"),
        ("database = 'mysql://u:hush@h/d'", "got 'mysql://u:\\*\\*\\*@h/d'"),
        ("database = 'postgresql://h:5432/'", "expected the database's name"),
        ("storage = 'ftp://b/p'", "storage: expected a folder or s3://BUCKET/PREFIX"),
        ("storage = 's3://'", "storage: expected a folder or s3://BUCKET/PREFIX"),
        ("storage = 's3://b'\nstorage_endpoint = 'x:9'", "storage_endpoint: expected http"),
        ("storage = 's3://b'\nstorage_secret = 'hush'", "expected both storage_key and"),
        ("storage_key = 'k'\nstorage_secret = 'hush'", "require storage = 's3://BUCKET/PREFIX'"),
        ("storage_secret = ['hush']", "storage_secret: expected a text, got another type"),
        ("mail = 'pigeon'", "mail: expected file, console or smtp"),
        ("mail_from = 'me'", "mail_from: expected an address"),
        ("verification = 'maybe'", "verification: expected none, optional, mandatory"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(folder, text, words):
    write(folder, text)
    with pytest.raises(UsageError, match=words) as caught:
        read_configuration(folder)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_with_a_bucket_uploads_gather_in_the_arenas_own_folder(folder):
    write(folder, "storage = 's3://b/p'\nstorage_key = 'k'\nstorage_secret = 'hush'")
    found = read_configuration(folder)
    assert found.storage_folder == folder / "storage"
    assert "hush" not in repr(found)


def test_a_folder_without_an_arena_is_told(tmp_path):
    with pytest.raises(UsageError, match="holds no arena; create one with: genmem arena init"):
        read_configuration(tmp_path)


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_a_missing_secret_is_told(folder, secret):
    (folder / "secret.key").unlink()
    if secret is not None:
        (folder / "secret.key").write_text(secret)
    with pytest.raises(UsageError, match="expected a secret"):
        read_configuration(folder)


def settings_of(folder, monkeypatch, text):
    """The settings module as it would be for this file."""
    write(folder, text)
    monkeypatch.setenv("GENMEM_ARENA", str(folder))
    return runpy.run_path(str(Path(genmem.arena.__file__).with_name("settings.py")))


def test_sqlite_writes_ahead_and_takes_its_lock_when_a_transaction_begins(folder, monkeypatch):
    database = settings_of(folder, monkeypatch, "")["DATABASES"]["default"]
    assert database["ENGINE"].endswith("sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert 20 <= database["OPTIONS"]["timeout"] <= 30


def test_postgresql_is_one_setting(folder, monkeypatch):
    text = "database = 'postgresql://me:p%40ss@db.example:5433/arena?sslmode=require'"
    database = settings_of(folder, monkeypatch, text)["DATABASES"]["default"]
    assert database["ENGINE"].endswith("postgresql")
    assert (database["USER"], database["PASSWORD"], database["NAME"]) == ("me", "p@ss", "arena")
    assert (database["HOST"], database["PORT"]) == ("db.example", 5433)
    assert database["OPTIONS"] == {"sslmode": "require"}


def test_https_makes_cookies_secure(folder, monkeypatch):
    found = settings_of(folder, monkeypatch, "address = 'https://arena.example'")
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert "arena.example" in found["ALLOWED_HOSTS"]
    assert not settings_of(folder, monkeypatch, "")["SESSION_COOKIE_SECURE"]


@pytest.mark.parametrize(
    ("mail", "backend"),
    [("file", "filebased"), ("console", "console"), ("smtp://me:p@mail.example:587", "smtp")],
)
def test_mail_goes_where_it_is_told(folder, monkeypatch, mail, backend):
    found = settings_of(folder, monkeypatch, f"mail = '{mail}'")
    assert found["EMAIL_BACKEND"] == f"django.core.mail.backends.{backend}.EmailBackend"
