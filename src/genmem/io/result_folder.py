"""A folder of results, written beside the old ones and moved into place once it is complete."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from genmem.errors import UsageError, os_reason
from genmem.io.atomic import check_folder_writable

_LOCK = "lock"


@dataclass(frozen=True, kw_only=True)
class ResultKind:
    """What a folder of results holds.

    Attributes:
        name: "audit", for messages and the names of temporary folders.
        numbers: the JSON file; its "kind" identifies the folder.
        page: the HTML file.
        folders: subfolders that are replaced as a whole.
        derived: files that were made of earlier results later, and are removed with them.
    """

    name: str
    numbers: str
    page: str
    folders: Sequence[str]
    derived: Sequence[str] = ()

    @property
    def marker(self) -> str:
        """The "kind" in the JSON file."""
        return f"genmem {self.name}"

    @property
    def stage(self) -> str:
        """The prefix of the names of temporary folders."""
        return f".genmem-{self.name}-"


def check_result_folder(folder: str | Path, kind: ResultKind) -> None:
    """Check that results can be written into `folder`, before hours of work end in an error.

    Args:
        folder: it need not exist.
        kind: what it will hold.

    Raises:
        UsageError: it has no name, is a file or a broken link, is not writable, or holds files but
            no earlier results of this kind.
    """
    check_folder_writable(folder)
    folder = Path(folder)
    try:
        if folder.is_dir() and not _holds_results(folder, kind):
            raise UsageError(
                f"cannot write the {kind.name} into {folder}: expected an empty folder or one with "
                f"an earlier {kind.name} ({kind.numbers}), found {_first_file(folder)}; name "
                "another folder."
            )
    except OSError as error:
        raise _write_error(folder, kind, error) from error


@contextmanager
def atomic_result_folder(folder: str | Path, kind: ResultKind) -> Iterator[Path]:
    """Give a folder whose files appear in `folder` if the block succeeds, and not otherwise.

    Earlier results stay unchanged until the new ones are complete. While they are exchanged there
    is no page, so that no page ever shows the images of other results. Leftovers of killed
    processes are removed.

    Args:
        folder: created if missing. Earlier results in it are replaced, other files stay.
        kind: what it holds.

    Yields:
        An empty temporary folder for the new files.

    Raises:
        UsageError: as for `check_result_folder`, or the disk is full.
    """
    check_result_folder(folder, kind)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder, kind)
        with _stage(folder, kind) as stage:
            (stage / "new").mkdir()
            yield stage / "new"
            _exchange(stage, folder, kind)
    except OSError as error:
        raise _write_error(folder, kind, error) from error


def _holds_results(folder: Path, kind: ResultKind) -> bool:
    """Whether the folder holds hidden files only, or earlier results of this kind."""
    if _first_file(folder) is None:
        return True
    try:
        document = json.loads((folder / kind.numbers).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(document, dict) and document.get("kind") == kind.marker


def _first_file(folder: Path) -> str | None:
    """The name of the first entry that is not hidden; None if there is none."""
    names = (path.name for path in folder.iterdir())
    return min((name for name in names if not name.startswith(".")), default=None)


@contextmanager
def _stage(folder: Path, kind: ResultKind) -> Iterator[Path]:
    """A hidden folder inside `folder`, locked while in use and removed afterwards."""
    stage = Path(tempfile.mkdtemp(prefix=kind.stage, dir=folder))
    lock = FileLock(stage / _LOCK)
    try:
        lock.acquire()
        yield stage
    finally:
        lock.release()
        shutil.rmtree(stage, ignore_errors=True)


def _remove_leftovers(folder: Path, kind: ResultKind) -> None:
    """Remove the stages of killed processes; the lock of a dead process is free."""
    for stage in folder.glob(f"{kind.stage}*"):
        if stage.is_symlink() or not stage.is_dir():
            continue
        with suppress(Timeout, OSError), FileLock(stage / _LOCK, timeout=0):
            shutil.rmtree(stage, ignore_errors=True)


def _exchange(stage: Path, folder: Path, kind: ResultKind) -> None:
    """Replace the old files by the new ones: the old page goes first, the new one comes last.

    The numbers come first of the new files: they identify the folder whatever happens afterwards.
    """
    new, old = stage / "new", stage / "old"
    old.mkdir()
    names = sorted(path.name for path in new.iterdir())
    ends = (kind.numbers, kind.page)
    try:
        for name in (kind.page, *kind.derived, *kind.folders):
            if (folder / name).is_symlink() or (folder / name).exists():
                (folder / name).rename(old / name)
    except BaseException:
        for path in old.iterdir():
            path.rename(folder / path.name)
        raise
    for name in (kind.numbers, *(name for name in names if name not in ends), kind.page):
        (new / name).replace(folder / name)


def _write_error(folder: Path, kind: ResultKind, error: OSError) -> UsageError:
    return UsageError(f"cannot write the {kind.name} into {folder}: {os_reason(error)}.")
