"""A folder of results: checked before the work, made aside, moved into place when it is whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from genmem.errors import UsageError

_LOCK = "lock"


@dataclass(frozen=True, kw_only=True)
class ResultKind:
    """What such a folder holds.

    Attributes:
        name: "audit", for messages and for the name of the stage.
        numbers: the JSON file that says whose folder it is.
        page: the HTML file.
        folders: those that are replaced as a whole.
    """

    name: str
    numbers: str
    page: str
    folders: Sequence[str]

    @property
    def marker(self) -> str:
        """What the JSON file holds under "kind"."""
        return f"genmem {self.name}"

    @property
    def stage(self) -> str:
        """How the names of stages begin."""
        return f".genmem-{self.name}-"


def check_result_folder(folder: str | Path, kind: ResultKind) -> None:
    """Make sure that results can be written into `folder`, before hours of work end in an error.

    Raises:
        UsageError: it has no name, is a file or a link that leads nowhere, cannot be written, or
            holds files but no earlier results of this kind.
    """
    if not str(folder):
        raise UsageError(f"expected the name of a folder for the {kind.name}, got an empty text")
    folder = Path(folder)
    try:
        existing = _existing(folder, kind)
        if not existing.is_dir():
            raise UsageError(
                f"cannot write the {kind.name} into {folder}: {existing} is a file; name a folder"
            )
        if folder.is_dir() and not _is_ours(folder, kind):
            raise UsageError(
                f"cannot write the {kind.name} into {folder}: expected an empty folder or one with "
                f"an earlier {kind.name} ({kind.numbers}), found {_first(folder)}; name another "
                "folder"
            )
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise _refused(folder, kind, error) from error


@contextmanager
def atomic_result_folder(folder: str | Path, kind: ResultKind) -> Iterator[Path]:
    """A folder whose files appear in `folder` when the block ends well, and not at all otherwise.

    Everything is made aside first, then moved into place: earlier results stay as they were until
    the new ones are complete. While they change places there is no page, so that no page ever
    shows the pictures of other results. What a process that was killed left behind is swept away.

    Args:
        folder: made where it is missing. Earlier results in it are replaced, other files stay.
        kind: what it holds.

    Raises:
        UsageError: as `check_folder`, or a disk is full.
    """
    check_result_folder(folder, kind)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, kind)
        with _stage(folder, kind) as stage:
            (stage / "new").mkdir()
            yield stage / "new"
            _move(stage, folder, kind)
    except OSError as error:
        raise _refused(folder, kind, error) from error


def _existing(folder: Path, kind: ResultKind) -> Path:
    """The nearest of the folder and those above it that is there.

    Raises:
        UsageError: on the way lies a link that leads nowhere.
    """
    for one in (folder, *folder.absolute().parents):
        if one.exists():
            return one
        if one.is_symlink():
            raise UsageError(
                f"cannot write the {kind.name} into {folder}: {one} is a link that leads nowhere; "
                "remove it or name another folder"
            )
    raise AssertionError("the root is there")


def _is_ours(folder: Path, kind: ResultKind) -> bool:
    """Whether nothing but hidden files or earlier results are there."""
    if _first(folder) is None:
        return True
    try:
        document = json.loads((folder / kind.numbers).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(document, dict) and document.get("kind") == kind.marker


def _first(folder: Path) -> str | None:
    """The first entry that is not hidden; None where there is none."""
    return min((one.name for one in folder.iterdir() if not one.name.startswith(".")), default=None)


@contextmanager
def _stage(folder: Path, kind: ResultKind) -> Iterator[Path]:
    """A hidden folder inside `folder`, locked while it is used, gone when the block ends."""
    stage = Path(tempfile.mkdtemp(prefix=kind.stage, dir=folder))
    lock = FileLock(stage / _LOCK)
    try:
        lock.acquire()
        yield stage
    finally:
        lock.release()
        shutil.rmtree(stage, ignore_errors=True)


def _sweep(folder: Path, kind: ResultKind) -> None:
    """Remove the stages of processes that were killed; the lock of a dead process is free."""
    for stage in folder.glob(f"{kind.stage}*"):
        if stage.is_symlink() or not stage.is_dir():
            continue
        with suppress(Timeout, OSError), FileLock(stage / _LOCK, timeout=0):
            shutil.rmtree(stage, ignore_errors=True)


def _move(stage: Path, folder: Path, kind: ResultKind) -> None:
    """Put the new files in place of the old ones: the old page goes first, the new comes last.

    The numbers come next, so that the folder is known as ours whatever happens after.
    """
    new, old = stage / "new", stage / "old"
    old.mkdir()
    for name in (kind.page, *kind.folders):
        if (folder / name).is_symlink() or (folder / name).exists():
            (folder / name).rename(old / name)
    names = sorted(one.name for one in new.iterdir())
    last = (kind.numbers, kind.page)
    for name in (kind.numbers, *(name for name in names if name not in last), kind.page):
        (new / name).replace(folder / name)


def _refused(folder: Path, kind: ResultKind, error: OSError) -> UsageError:
    """What the operating system says, without a path or an error number."""
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"cannot write the {kind.name} into {folder}: {reason}")
