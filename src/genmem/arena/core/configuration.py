"""The settings of an arena, read from `DIR/arena.toml` and checked. No Django."""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from genmem.errors import UsageError
from genmem.formatting import did_you_mean
from genmem.io.paths import refuse_empty

FILE = "arena.toml"
SECRET_FILE = "secret.key"
LISTENS = "GENMEM_ARENA_LISTENS"
PARENT = "GENMEM_ARENA_PARENT"
VERIFICATIONS = ("none", "optional", "mandatory")
_HIDDEN = ("storage_key", "storage_secret")
"""Settings whose values are never shown in a message."""

TEMPLATE = """\
# Settings of this arena. A setting that is left out has the value shown here.
# The secret that signs sessions is in secret.key beside this file. Keep it private.

# Shown at the top of every page.
name = "Arena"

# Public URL, such as "https://arena.example.org"; "" is where `genmem arena serve` listens.
# With https://, cookies are sent over https only, and the reverse proxy in front is trusted to set
# X-Forwarded-Proto and X-Forwarded-For.
address = ""

# "" means SQLite in this folder. PostgreSQL: postgresql://USER:PASSWORD@HOST:5432/NAME
database = ""

# Where to store uploads, features and logs: a folder, relative to this one, or s3://BUCKET/PREFIX.
# With a bucket, unfinished uploads are still kept in storage/ in this folder.
storage = "storage"

# Endpoint of a bucket that is not on AWS, such as "https://s3.example.org".
# Access key and secret key; "" takes $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY.
storage_endpoint = ""
storage_key = ""
storage_secret = ""

# Folders of training and reference images that organizers may choose; relative to this one.
data_folders = ["data"]

# "file" writes mail into mail/ in this folder, "console" to the terminal.
# Mail server: smtp://USER:PASSWORD@HOST:587 (STARTTLS) or smtps://USER:PASSWORD@HOST:465
mail = "file"
mail_from = "arena@localhost"

# Whether e-mail addresses must be confirmed: "none", "optional" or "mandatory".
verification = "optional"

# Whether anybody may create an account.
signup = true
"""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The checked settings of `arena.toml`, its `folder`, and the `secret` that signs sessions."""

    folder: Path
    secret: str
    name: str = "Arena"
    address: str = ""
    database: str = ""
    storage: str = "storage"
    storage_endpoint: str = ""
    storage_key: str = field(default="", repr=False)
    storage_secret: str = field(default="", repr=False)
    data_folders: tuple[str, ...] = ("data",)
    mail: str = "file"
    mail_from: str = "arena@localhost"
    verification: str = "optional"
    signup: bool = True

    @property
    def public_address(self) -> str:
        """The public URL: `address`, or where this machine listens ($GENMEM_ARENA_LISTENS)."""
        listens = os.environ.get(LISTENS, "http://127.0.0.1:8000")
        return (self.address or listens).rstrip("/")

    @property
    def storage_is_bucket(self) -> bool:
        """Whether files are stored in a bucket of an S3-compatible service."""
        return self.storage.startswith("s3://")

    @property
    def storage_folder(self) -> Path:
        """The local storage folder, absolute; with a bucket, it holds unfinished uploads only."""
        return self.folder / ("storage" if self.storage_is_bucket else self.storage)

    @property
    def allowed_data_folders(self) -> tuple[Path, ...]:
        """The data folders, absolute and with symbolic links resolved."""
        return tuple((self.folder / name).resolve() for name in self.data_folders)


def write_new(folder: Path) -> None:
    """Write `arena.toml` with default settings, and a new secret that only its owner can read.

    Raises:
        UsageError: the folder already holds an arena.
    """
    if (folder / FILE).exists():
        raise UsageError(
            f"{folder} already holds an arena; start it with: genmem arena serve {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    if not (folder / SECRET_FILE).exists():
        descriptor = os.open(folder / SECRET_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
    (folder / FILE).write_text(TEMPLATE, encoding="utf-8")


def read_configuration(folder: Path) -> Configuration:
    """Read and check the settings of the arena in `folder`.

    Raises:
        UsageError: the folder holds no arena, or a setting is unknown or invalid.
    """
    folder = folder.resolve()
    path = folder / FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no arena; create one with: genmem arena init {folder}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected TOML, got: {error}") from error
    _check_types(path, values)
    if "data_folders" in values:
        values["data_folders"] = tuple(values["data_folders"])
    configuration = Configuration(folder=folder, secret=_read_secret(folder), **values)
    _check(path, configuration)
    return configuration


def _check_types(path: Path, values: dict[str, object]) -> None:
    defaults = {field.name: field.default for field in fields(Configuration)}
    for name in ("folder", "secret"):
        del defaults[name]
    expected = {str: "a text", bool: "true or false", tuple: "a list of texts"}
    for name, value in values.items():
        if name not in defaults:
            hint = did_you_mean(name, defaults)
            raise UsageError(f"{path}: there is no setting {name!r}; {hint}")
        kind = type(defaults[name])
        if kind is tuple:
            is_valid = isinstance(value, list) and all(isinstance(text, str) for text in value)
        else:
            is_valid = isinstance(value, kind)
        if not is_valid:
            shown = "another type" if name in _HIDDEN else repr(value)
            raise UsageError(f"{path}: {name}: expected {expected[kind]}, got {shown}")


def _read_secret(folder: Path) -> str:
    path = folder / SECRET_FILE
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        secret = ""
    if len(secret) < 32:
        raise UsageError(
            f"{path}: expected a secret of 32 characters or more, got {len(secret)}; "
            "restore the arena's own, or write a random one (which signs everybody out)"
        )
    return secret


def _check(path: Path, arena: Configuration) -> None:
    address = urlsplit(arena.public_address)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise UsageError(f"{path}: address: expected http(s)://HOST[:PORT], got {arena.address!r}")
    if arena.database and urlsplit(arena.database).scheme not in ("postgresql", "postgres"):
        raise UsageError(
            f"{path}: database: expected an empty text (SQLite) or "
            f"postgresql://USER:PASSWORD@HOST:5432/NAME, got {hidden(arena.database)!r}"
        )
    if arena.database and not urlsplit(arena.database).path.strip("/"):
        raise UsageError(f"{path}: database: expected the database's name at the end of the URL")
    if arena.mail not in ("file", "console") and not _is_mail_server(urlsplit(arena.mail)):
        raise UsageError(
            f"{path}: mail: expected file, console or smtp://USER:PASSWORD@HOST:PORT, "
            f"got {hidden(arena.mail)!r}"
        )
    if arena.verification not in VERIFICATIONS:
        raise UsageError(
            f"{path}: verification: expected {', '.join(VERIFICATIONS)}, got {arena.verification!r}"
        )
    _check_storage(path, arena)
    if "@" not in arena.mail_from:
        raise UsageError(f"{path}: mail_from: expected an address, got {arena.mail_from!r}")
    if not arena.name.strip():
        raise UsageError(f"{path}: name: expected a text, got only spaces")


def _check_storage(path: Path, arena: Configuration) -> None:
    refuse_empty(arena.storage, name=f"{path}: storage")
    for folder in arena.data_folders:
        refuse_empty(folder, name=f"{path}: data_folders")
    if "://" in arena.storage and not (arena.storage_is_bucket and urlsplit(arena.storage).netloc):
        raise UsageError(
            f"{path}: storage: expected a folder or s3://BUCKET/PREFIX, "
            f"got {hidden(arena.storage)!r}"
        )
    endpoint = urlsplit(arena.storage_endpoint)
    if arena.storage_endpoint and (
        endpoint.scheme not in ("http", "https") or not endpoint.hostname
    ):
        raise UsageError(
            f"{path}: storage_endpoint: expected http(s)://HOST[:PORT], "
            f"got {hidden(arena.storage_endpoint)!r}"
        )
    if bool(arena.storage_key) != bool(arena.storage_secret):
        raise UsageError(f"{path}: expected both storage_key and storage_secret, got one of them")
    if not arena.storage_is_bucket and (arena.storage_endpoint or arena.storage_key):
        raise UsageError(
            f"{path}: storage_endpoint and storage_key require storage = 's3://BUCKET/PREFIX', "
            f"got {arena.storage!r}"
        )


def _is_mail_server(address: SplitResult) -> bool:
    return address.scheme in ("smtp", "smtps") and bool(address.hostname)


def hidden(address: str) -> str:
    """Return a URL with its password replaced by ***."""
    parts = urlsplit(address)
    return address.replace(f":{parts.password}@", ":***@") if parts.password else address
