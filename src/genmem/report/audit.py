"""The audit as a folder: tables, JSON, pictures and one page to look at them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genmem.auditing.findings import Audit, copied
from genmem.errors import UsageError
from genmem.report.audit_page import render
from genmem.report.audit_pictures import FOLDER, page_rows, write_pictures
from genmem.report.audit_tables import write_copied, write_duplicates, write_images

PAGE, NUMBERS = "audit.html", "audit.json"

_STAGE = ".genmem-audit-"


def write_audit(audit: Audit, folder: str | Path) -> None:
    """Write tables, numbers, pictures and the page into `folder`.

    `images.parquet` and `.csv` hold one row a generated image, `copied.parquet` and `.csv` one row
    a copied training image, `duplicates.csv` one row a pair of near-duplicates, `audit.json`
    everything else; `audit.html` shows them, with the images in `pictures`. It asks for nothing
    over the network. Ids stand in Parquet as they are; in CSV, where a spreadsheet would take one
    for a formula, with an apostrophe before it.

    Everything is made aside first, then moved into place: an earlier audit stays as it was until
    the new one is complete. While they change places there is no page, so that no page ever shows
    the pictures of another audit.

    Args:
        audit: what `genmem.audit` found.
        folder: made where it is missing. An earlier audit in it is replaced, its `pictures` as a
            whole; other files beside it stay.

    Raises:
        UsageError: the folder holds something else than an audit, or cannot be written.
    """
    folder = Path(folder)
    check_audit_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _stage(folder) as stage:
            _make(audit, stage)
            _move(stage, folder)
    except OSError as error:
        raise UsageError(f"cannot write the audit into {folder}: {_reason(error)}") from error


def check_audit_folder(folder: str | Path) -> None:
    """Make sure that an audit can be written into `folder`, before hours of work end in an error.

    Raises:
        UsageError: it is a file, cannot be written, or holds files but no earlier audit.
    """
    folder = Path(folder)
    try:
        existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        if not existing.is_dir():
            raise UsageError(
                f"cannot write the audit into {folder}: {existing} is a file; name a folder"
            )
        if folder.is_dir() and not _is_ours(folder):
            raise UsageError(
                f"cannot write the audit into {folder}: expected an empty folder or one with an "
                f"earlier audit ({NUMBERS}), found {_first(folder)}; name another folder"
            )
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise UsageError(f"cannot write the audit into {folder}: {_reason(error)}") from error


def _is_ours(folder: Path) -> bool:
    """Whether nothing but hidden files or an earlier audit is there."""
    if _first(folder) is None:
        return True
    try:
        document = json.loads((folder / NUMBERS).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(document, dict) and document.get("kind") == "genmem audit"


def _first(folder: Path) -> str | None:
    """The first entry that is not hidden; None where there is none."""
    return min((one.name for one in folder.iterdir() if not one.name.startswith(".")), default=None)


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder`, gone when the block ends."""
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _make(audit: Audit, stage: Path) -> None:
    """All files of the audit, in `stage/new`."""
    new = stage / "new"
    new.mkdir()
    found, rows = copied(audit), page_rows(audit)
    write_images(audit, new)
    write_copied(audit, found, new)
    write_duplicates(audit.duplicates, new)
    numbers = json.dumps(audit.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (new / NUMBERS).write_bytes(numbers.encode("utf-8", "backslashreplace"))
    album = write_pictures(audit, rows, found, new / FOLDER)
    page = render(audit, rows, found, album)
    (new / PAGE).write_bytes(page.encode("utf-8", "backslashreplace"))


def _move(stage: Path, folder: Path) -> None:
    """Put the new files in place of the old ones: the old page goes first, the new comes last.

    `audit.json` comes next, so that the folder is known as an audit's whatever happens after.
    """
    new, old = stage / "new", stage / "old"
    old.mkdir()
    for name in (PAGE, FOLDER):
        if (folder / name).is_symlink() or (folder / name).exists():
            (folder / name).rename(old / name)
    names = sorted(one.name for one in new.iterdir())
    order = [NUMBERS, *(name for name in names if name not in (NUMBERS, PAGE)), PAGE]
    for name in order:
        (new / name).replace(folder / name)


def _reason(error: OSError) -> str:
    """What the operating system says, without a path or an error number."""
    return (error.strerror or str(error)).lower()
