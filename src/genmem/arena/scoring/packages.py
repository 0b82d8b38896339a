"""The packages that submitted code locks: found without a network, installed in the sandbox.

A zip of code may hold `requirements.lock`, as written by `pip freeze` or `uv pip compile`. Packages
that this machine's environment has in the locked version are used as they are. The others must be
there as wheels, in `wheels/` of the zip or of the arena's folder. pip installs them inside the
sandbox, before the command: nothing of them is executed anywhere else.
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

from genmem.arena.scoring.errors import SetupError, SubmissionError

LOCK = "requirements.lock"
WHEELS = "wheels"
INSTALL_FOLDER = "/scratch/packages"
"""Where packages are installed: in `/scratch`, so within its size."""

MAX_LOCK_BYTES, MAX_PACKAGES = 2**20, 1_000
"""Limits of a lock file."""

_MAX_NAMED = 10
_SYSTEM_WHEELS = Path("/usr/share/python-wheels")
"""Where Debian has the pip that other systems have in `ensurepip`."""


@dataclass(frozen=True)
class Pin:
    """A locked package; `hashes` are those of valid files, none if any file is valid."""

    name: str
    version: Version
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    def is_met_by(self, version: Version) -> bool:
        """Whether `version` is the locked one; 1.0+cpu meets a locked 1.0."""
        return self.version in (version, Version(version.public))


def parse_lock(text: str) -> list[Pin]:
    """The packages that a lock file requires on this machine, by the markers of its lines.

    Raises:
        SubmissionError: a line is not NAME==VERSION with an optional --hash=sha256:…, a package is
            there twice, or there are too many.
    """
    pins: dict[str, Pin] = {}
    for line in _requirement_lines(text):
        specifier, *hashes = re.split(" --hash[= ]", line)
        try:
            requirement = Requirement(specifier)
            applies = requirement.marker is None or requirement.marker.evaluate()
            version = _exact_version(requirement)
        except (ValueError, RecursionError):  # raised by packaging, for markers too
            raise SubmissionError(
                f"{LOCK}: expected lines such as NAME==VERSION, as written by pip freeze or uv pip "
                f"compile, got {line[:200]!r}."
            ) from None
        name = canonicalize_name(requirement.name)
        if not applies:
            continue
        if name in pins:
            raise SubmissionError(f"{LOCK}: expected every package once, got {name} twice.")
        pins[name] = Pin(name, version, frozenset(value.strip().lower() for value in hashes))
        if len(pins) > MAX_PACKAGES:
            raise SubmissionError(f"{LOCK}: expected at most {MAX_PACKAGES:,} packages.")
    return list(pins.values())


def _exact_version(requirement: Requirement) -> Version:
    """The version of a requirement NAME==VERSION; ValueError for any other."""
    (specifier,) = requirement.specifier
    if requirement.url or specifier.operator != "==" or "*" in specifier.version:
        raise ValueError(str(requirement))
    return Version(specifier.version)


def _requirement_lines(text: str) -> Iterator[str]:
    """The requirements of a lock file, with continued lines joined and comments removed."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        requirement = " ".join(re.sub(r"(^|\s)#.*$", "", line).split())
        if requirement:
            yield requirement


def find_wheels(pins: Iterable[Pin], folders: Sequence[Path]) -> list[Path]:
    """The wheels of all packages that the environment lacks, each from the first folder with it.

    Args:
        pins: the locked packages.
        folders: where to look, in this order.

    Raises:
        SubmissionError: some are missing; the message names the first ten.
    """
    compatible = _compatible_wheels(folders)
    wheels, missing = [], []
    for pin in pins:
        installed = _installed_version(pin.name)
        if installed is not None and pin.is_met_by(Version(installed)):
            continue
        locked = [path for version, path in compatible.get(pin.name, ()) if pin.is_met_by(version)]
        valid = [path for path in locked if not pin.hashes or _sha256(path) in pin.hashes]
        if valid:
            wheels.append(valid[0])
        elif locked:
            missing.append(f"{pin} (its wheel has another hash)")
        else:
            missing.append(str(pin) if installed is None else f"{pin} ({installed} is installed)")
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        raise SubmissionError(
            f"{LOCK} requires packages that are missing on this machine: "
            f"{', '.join(missing[:_MAX_NAMED])}{more}. There is no network: add their wheels to "
            f"{WHEELS}/ in the zip, lock the installed versions, or ask the organizers."
        )
    return wheels


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _compatible_wheels(folders: Sequence[Path]) -> dict[str, list[tuple[Version, Path]]]:
    """The wheels that fit this machine, by package, in the order of the folders."""
    supported, wheels = frozenset(sys_tags()), {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.whl"))):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if path.is_file() and not supported.isdisjoint(tags):
            wheels.setdefault(name, []).append((version, path))
    return wheels


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def unpacked_size(wheels: Iterable[Path]) -> tuple[int, int]:
    """The number of files in wheels, and their unpacked bytes.

    Raises:
        SubmissionError: a file is not a wheel.
    """
    files = size = 0
    for path in wheels:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (OSError, zipfile.BadZipFile):
            raise SubmissionError(f"{path.name} in {WHEELS}/ is not a wheel.") from None
        files += len(entries)
        size += sum(entry.file_size for entry in entries)
    return files, size


def copy_wheels(wheels: Iterable[Path], folder: Path) -> None:
    """Copy wheels to a new folder, readable by the user that programs run as."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    for path in wheels:
        shutil.copyfile(path, folder / path.name)
        (folder / path.name).chmod(0o644)


def install_command(command: Sequence[str], wheels: str) -> tuple[str, ...]:
    """A command that installs all wheels of a folder and then executes `command` with them.

    Args:
        command: the program and its arguments.
        wheels: path of the folder inside the sandbox.

    Raises:
        SetupError: this machine has no pip.
    """
    pip = [
        *_pip_command(),
        *("install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-compile"),
        *("--no-index", "--no-deps", "--target", INSTALL_FOLDER),
    ]
    script = (
        f"if ! {shlex.join(pip)} {shlex.quote(wheels)}/*.whl; then\n"
        f"  echo '[packages] the packages of {LOCK} could not be installed'; exit 1\n"
        f'fi\nPYTHONPATH={INSTALL_FOLDER} exec "$@"'
    )
    return ("sh", "-c", script, "packages", *command)


def _pip_command() -> list[str]:
    """The command that starts pip: the environment's own, or the one that comes with Python."""
    if importlib.util.find_spec("pip"):
        return ["python3", "-I", "-m", "pip"]  # -I: not a module of the program called pip
    spec = importlib.util.find_spec("ensurepip")
    bundled = [Path(spec.origin).parent / "_bundled"] if spec and spec.origin else []
    for folder in (*bundled, _SYSTEM_WHEELS):
        for path in sorted(folder.glob("pip-*.whl"), reverse=True):
            return ["python3", f"{path}/pip"]
    raise SetupError("pip is missing: install it on the machines where workers run")
