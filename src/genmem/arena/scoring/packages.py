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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from genmem.arena.scoring.steps import Failure, Refusal

LOCK = "requirements.lock"
WHEELS = "wheels"
PLACE = "/scratch/packages"
"""Where the program finds them: in `/scratch`, and so within its size."""

_NAMED = 10
_SYSTEM_WHEELS = Path("/usr/share/python-wheels")
"""Where Debian keeps the pip that other systems have in `ensurepip`."""


@dataclass(frozen=True)
class Pin:
    """One locked package; `hashes` are of the files that may be it, none: any."""

    name: str
    wanted: SpecifierSet
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}{self.wanted}"


def pins_in(text: str) -> list[Pin]:
    """What a lock asks for on this machine: lines whose markers do not fit are passed over.

    Raises:
        Refusal: a line is not of the form NAME==VERSION, with --hash=sha256:… or without.
    """
    found = []
    for line in _lines(text):
        words, *hashes = re.split(r"\s+--hash[=\s]", line)
        try:
            asked = Requirement(words)
            fits = asked.marker is None or asked.marker.evaluate()
        except (InvalidRequirement, UndefinedEnvironmentName):
            raise _misread(line) from None
        versions = [(one.operator, "*" in one.version) for one in asked.specifier]
        if asked.url or versions != [("==", False)]:
            raise _misread(line)
        if fits:
            digests = frozenset(one.strip().lower() for one in hashes)
            found.append(Pin(canonicalize_name(asked.name), asked.specifier, digests))
    return found


def wheels_for(pins: Iterable[Pin], folders: Sequence[Path]) -> list[Path]:
    """The wheels of all packages that the environment lacks, from the first folder that has each.

    Raises:
        Refusal: some are nowhere; the message names the first ten.
    """
    known = [path for folder in folders for path in sorted(folder.glob("*.whl"))]
    ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    found, missing = [], []
    for pin in pins:
        here = _installed(pin.name)
        if here is not None and pin.wanted.contains(here, prereleases=True):
            continue
        fitting = [path for path in known if _is(path, pin, ranks)]
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
        plain = re.sub(r"(^|\s)#.*$", "", line).strip()
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


def _is(path: Path, pin: Pin, ranks: dict) -> bool:
    """Whether a wheel is of this package and version, and for this machine."""
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return False
    fits = any(tag in ranks for tag in tags)
    return fits and name == pin.name and pin.wanted.contains(version, prereleases=True)


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
        return ["python3", "-m", "pip"]
    found = importlib.util.find_spec("ensurepip")
    bundled = [Path(found.origin).parent / "_bundled"] if found and found.origin else []
    for folder in (*bundled, _SYSTEM_WHEELS):
        for path in sorted(folder.glob("pip-*.whl"), reverse=True):
            return ["python3", f"{path}/pip"]
    raise Failure("there is no pip to install packages with: install pip where workers run")
