"""The packages that submitted code locks: found without a network, installed inside the sandbox.

A zip of code may hold `requirements.lock`, as `pip freeze` or `uv pip compile` writes it. What this
machine's own environment has in the locked version is used as it is; the rest must be there as
wheels: in `wheels/` of the zip, or in `wheels/` of the arena's folder. They are installed by pip,
inside the sandbox and before the command: nothing of them is executed anywhere else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from genmem.arena.scoring.steps import Failure, Refusal

LOCK = "requirements.lock"
WHEELS = "wheels"
PLACE = "/scratch/packages"
"""Where the program finds them: in `/scratch`, and so within its size."""

LARGEST, MOST = 2**20, 1_000
"""Bytes of a lock, and packages in it."""

_NAMED = 10
_SYSTEM_WHEELS = Path("/usr/share/python-wheels")
"""Where Debian keeps the pip that other systems have in `ensurepip`."""


@dataclass(frozen=True)
class Pin:
    """One locked package; `hashes` are of the files that may be it, none: any."""

    name: str
    version: Version
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    def is_met_by(self, version: Version) -> bool:
        """A locked version without a local part (1.0) is met by one with any (1.0+cpu)."""
        return self.version in (version, Version(version.public))


def pins_in(text: str) -> list[Pin]:
    """What a lock asks for on this machine: lines whose markers do not fit are passed over.

    Raises:
        Refusal: a line is not of the form NAME==VERSION, with --hash=sha256:… or without; a
            package is named twice, or there are too many.
    """
    found: dict[str, Pin] = {}
    for line in _lines(text):
        words, *hashes = re.split(" --hash[= ]", line)
        try:
            asked = Requirement(words)
            fits = asked.marker is None or asked.marker.evaluate()
            version = _exact(asked)
        except (ValueError, RecursionError):  # what packaging raises, for markers too
            raise _misread(line) from None
        name = canonicalize_name(asked.name)
        if not fits:
            continue
        if name in found:
            raise Refusal(f"{LOCK}: expected every package once, got {name} twice.")
        found[name] = Pin(name, version, frozenset(one.strip().lower() for one in hashes))
        if len(found) > MOST:
            raise Refusal(f"{LOCK}: expected at most {MOST:,} packages.")
    return list(found.values())


def _exact(asked: Requirement) -> Version:
    """The one version that is asked for; ValueError where there is another condition."""
    (only,) = asked.specifier
    if asked.url or only.operator != "==" or "*" in only.version:
        raise ValueError(str(asked))
    return Version(only.version)


def wheels_for(pins: Iterable[Pin], folders: Sequence[Path]) -> list[Path]:
    """The wheels of all packages that the environment lacks, from the first folder that has each.

    Raises:
        Refusal: some are nowhere; the message names the first ten.
    """
    known = _wheels_in(folders)
    found, missing = [], []
    for pin in pins:
        here = _installed(pin.name)
        if here is not None and pin.is_met_by(Version(here)):
            continue
        fitting = [path for version, path in known.get(pin.name, ()) if pin.is_met_by(version)]
        good = [path for path in fitting if not pin.hashes or _digest(path) in pin.hashes]
        if good:
            found.append(good[0])
        else:
            missing.append(f"{pin}{_reason(here, bool(fitting))}")
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise Refusal(
            f"{LOCK} asks for packages that are not on this machine: "
            f"{', '.join(missing[:_NAMED])}{more}. There is no network: put their wheels into "
            f"{WHEELS}/ in the zip, lock the versions that are here, or ask the organisers."
        )
    return found


def size_of(wheels: Iterable[Path]) -> tuple[int, int]:
    """Files and bytes that wheels become when they are installed.

    Raises:
        Refusal: one is no wheel.
    """
    files = size = 0
    for path in wheels:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (OSError, zipfile.BadZipFile):
            raise Refusal(f"{path.name} in {WHEELS}/ is not a wheel.") from None
        files += len(entries)
        size += sum(entry.file_size for entry in entries)
    return files, size


def gather(wheels: Iterable[Path], folder: Path) -> None:
    """Copy wheels to a fresh folder, readable by the user that programs run as."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    for path in wheels:
        shutil.copyfile(path, folder / path.name)
        (folder / path.name).chmod(0o644)


def installing(command: Sequence[str], wheels: str) -> tuple[str, ...]:
    """A command that installs all wheels of a folder, then becomes `command`, which finds them.

    Args:
        command: the program and its arguments.
        wheels: the folder, as it is called inside the sandbox.

    Raises:
        Failure: this machine has no pip.
    """
    words = [
        *_pip(),
        *("install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-compile"),
        *("--no-index", "--no-deps", "--target", PLACE),
    ]
    script = (
        f"if ! {shlex.join(words)} {shlex.quote(wheels)}/*.whl; then\n"
        f"  echo '[packages] the packages of {LOCK} could not be installed'; exit 1\n"
        f'fi\nPYTHONPATH={PLACE} exec "$@"'
    )
    return ("sh", "-c", script, "packages", *command)


def _lines(text: str) -> Iterator[str]:
    """The lines that ask for something: continued ones joined, comments left out."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        plain = " ".join(re.sub(r"(^|\s)#.*$", "", line).split())
        if plain:
            yield plain


def _misread(line: str) -> Refusal:
    return Refusal(
        f"{LOCK}: expected lines such as NAME==VERSION, as pip freeze or uv pip compile writes "
        f"them, got {line[:200]!r}."
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _wheels_in(folders: Sequence[Path]) -> dict[str, list[tuple[Version, Path]]]:
    """The wheels that fit this machine, by package, in the order of the folders."""
    here, found = frozenset(sys_tags()), {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.whl"))):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if path.is_file() and not here.isdisjoint(tags):
            found.setdefault(name, []).append((version, path))
    return found


def _reason(here: str | None, has_wheel: bool) -> str:
    if has_wheel:
        return " (its wheel has another hash)"
    return "" if here is None else f" ({here} is here)"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _pip() -> list[str]:
    """The words that start pip: the environment's own, or the one that comes with Python."""
    if importlib.util.find_spec("pip"):
        return ["python3", "-I", "-m", "pip"]  # not a module of the program that is called so
    found = importlib.util.find_spec("ensurepip")
    bundled = [Path(found.origin).parent / "_bundled"] if found and found.origin else []
    for folder in (*bundled, _SYSTEM_WHEELS):
        for path in sorted(folder.glob("pip-*.whl"), reverse=True):
            return ["python3", f"{path}/pip"]
    raise Failure("there is no pip to install packages with: install pip where workers run")
