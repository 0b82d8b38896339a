"""One file of settings, `DIR/arena.toml`, read and checked; no Django here."""

from __future__ import annotations

import difflib
import os
import secrets
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from genmem.errors import UsageError

FILE = "arena.toml"
SECRET_FILE = "secret.key"
LISTENS = "GENMEM_ARENA_LISTENS"
PARENT = "GENMEM_ARENA_PARENT"
VERIFICATIONS = ("none", "optional", "mandatory")
_HIDDEN = ("storage_key", "storage_secret")
"""Never shown in a message."""

TEMPLATE = """\
# Settings of this arena. Leave a line out and it has the value shown here.
# The secret that signs sessions is in secret.key beside this file: keep that one to yourself.

# Shown at the top of every page.
name = "Arena"

# Where people reach it, such as "https://arena.example.org"; "" is where `genmem arena serve`
# listens. With https:// cookies are sent over https only, and the web server in front is trusted to
# say who asks (X-Forwarded-Proto, X-Forwarded-For).
address = ""

# "" is SQLite in this folder; PostgreSQL is postgresql://USER:PASSWORD@HOST:5432/NAME
database = ""

# Where uploads, features and logs are kept: a folder, relative to this one, or s3://BUCKET/PREFIX.
# With a bucket, uploads on their way here still gather in storage/ in this folder.
storage = "storage"

# For a bucket that is not on AWS: where its service answers, such as "https://s3.example.org".
# The key of access and its secret; "" takes $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY.
storage_endpoint = ""
storage_key = ""
storage_secret = ""

# Folders in which organisers may name training and reference images; relative to this one.
data_folders = ["data"]

# "file" writes mail into mail/ in this folder, "console" to the terminal;
# a mail server is smtp://USER:PASSWORD@HOST:587 (STARTTLS) or smtps://USER:PASSWORD@HOST:465
mail = "file"
mail_from = "arena@localhost"

# Whether an address must be confirmed by mail before it is used: "none", "optional", "mandatory".
verification = "optional"

# Whether anybody may make an account.
signup = true
"""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The settings in `arena.toml`, checked. `folder` is where it lies, `secret` signs sessions."""

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
        """Where people reach it: as set, or where this machine listens ($GENMEM_ARENA_LISTENS)."""
        listens = os.environ.get(LISTENS, "http://127.0.0.1:8000")
        return (self.address or listens).rstrip("/")

    @property
    def storage_is_bucket(self) -> bool:
        """Whether files are kept in a bucket of an S3-compatible service."""
        return self.storage.startswith("s3://")

    @property
    def storage_folder(self) -> Path:
        """Where files are kept, absolute; with a bucket, where uploads gather before."""
        return self.folder / ("storage" if self.storage_is_bucket else self.storage)

    @property
    def allowed_data_folders(self) -> tuple[Path, ...]:
        """Where organisers may name images, absolute and without links."""
        return tuple((self.folder / name).resolve() for name in self.data_folders)


def write_new(folder: Path) -> None:
    """Write `arena.toml` with its defaults, and a fresh secret readable by its owner only.

    Raises:
        UsageError: there is an arena in this folder already.
    """
    if (folder / FILE).exists():
        raise UsageError(
            f"{folder} holds an arena already; start it with: genmem arena serve {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    if not (folder / SECRET_FILE).exists():
        descriptor = os.open(folder / SECRET_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
    (folder / FILE).write_text(TEMPLATE, encoding="utf-8")


def read_configuration(folder: Path) -> Configuration:
    """The checked settings of the arena in `folder`.

    Raises:
        UsageError: there is none, or a setting is unknown, of the wrong kind or out of range.
    """
    folder = folder.resolve()
    path = folder / FILE
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no arena; make one with: genmem arena init {folder}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected TOML, got: {error}") from error
    _refuse_unknown(path, given)
    for name in ("data_folders",):
        if name in given:
            given[name] = tuple(_texts(path, name, given[name]))
    secret = _secret(folder)
    try:
        found = Configuration(folder=folder, secret=secret, **given)
    except TypeError as error:
        raise UsageError(f"{path}: {error}") from error
    _check(path, found)
    return found


def _refuse_unknown(path: Path, given: dict[str, object]) -> None:
    known = {one.name: one for one in fields(Configuration)}
    for name in ("folder", "secret"):
        del known[name]
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"{path}: there is no setting {name!r}; {hint}")
        default = known[name].default
        expected = {str: "a text", bool: "true or false", tuple: "a list of texts"}[type(default)]
        if not isinstance(value, list if isinstance(default, tuple) else type(default)):
            shown = "something else" if name in _HIDDEN else repr(value)
            raise UsageError(f"{path}: {name}: expected {expected}, got {shown}")


def _texts(path: Path, name: str, values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UsageError(f"{path}: {name}: expected a list of texts, got {values!r}")
    return values


def _secret(folder: Path) -> str:
    path = folder / SECRET_FILE
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        secret = ""
    if len(secret) < 32:
        raise UsageError(
            f"{path}: expected a secret of 32 characters or more, got {len(secret)}; "
            "copy the arena's own back, or write a random one (everybody signs in again)"
        )
    return secret


def _check(path: Path, found: Configuration) -> None:
    address = urlsplit(found.public_address)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise UsageError(f"{path}: address: expected http(s)://HOST[:PORT], got {found.address!r}")
    if found.database and urlsplit(found.database).scheme not in ("postgresql", "postgres"):
        raise UsageError(
            f"{path}: database: expected an empty text (SQLite) or "
            f"postgresql://USER:PASSWORD@HOST:5432/NAME, got {hidden(found.database)!r}"
        )
    if found.database and not urlsplit(found.database).path.strip("/"):
        raise UsageError(f"{path}: database: the address ends without the database's name")
    if found.mail not in ("file", "console") and not _is_mail_server(urlsplit(found.mail)):
        raise UsageError(
            f"{path}: mail: expected file, console or smtp://USER:PASSWORD@HOST:PORT, "
            f"got {hidden(found.mail)!r}"
        )
    if found.verification not in VERIFICATIONS:
        raise UsageError(
            f"{path}: verification: expected {', '.join(VERIFICATIONS)}, got {found.verification!r}"
        )
    _check_storage(path, found)
    if "@" not in found.mail_from:
        raise UsageError(f"{path}: mail_from: expected an address, got {found.mail_from!r}")
    if not found.name.strip():
        raise UsageError(f"{path}: name: expected a text, got a blank")


def _check_storage(path: Path, found: Configuration) -> None:
    if "://" in found.storage and not (found.storage_is_bucket and urlsplit(found.storage).netloc):
        raise UsageError(
            f"{path}: storage: expected a folder or s3://BUCKET/PREFIX, "
            f"got {hidden(found.storage)!r}"
        )
    endpoint = urlsplit(found.storage_endpoint)
    if found.storage_endpoint and (
        endpoint.scheme not in ("http", "https") or not endpoint.hostname
    ):
        raise UsageError(
            f"{path}: storage_endpoint: expected http(s)://HOST[:PORT], "
            f"got {hidden(found.storage_endpoint)!r}"
        )
    if bool(found.storage_key) != bool(found.storage_secret):
        raise UsageError(f"{path}: expected both storage_key and storage_secret, got one of them")
    if not found.storage_is_bucket and (found.storage_endpoint or found.storage_key):
        raise UsageError(
            f"{path}: storage_endpoint and storage_key go with storage = 's3://BUCKET/PREFIX', "
            f"got {found.storage!r}"
        )


def _is_mail_server(address: SplitResult) -> bool:
    return address.scheme in ("smtp", "smtps") and bool(address.hostname)


def hidden(address: str) -> str:
    """An address fit for a message: its password is not shown."""
    parts = urlsplit(address)
    return address.replace(f":{parts.password}@", ":***@") if parts.password else address
