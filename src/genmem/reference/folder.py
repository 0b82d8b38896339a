"""The folder of a reference: written beside the old one and moved into place once complete."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.atomic import check_folder_writable
from genmem.reference.manifest import FORMAT, MANIFEST, File, Manifest, read_manifest

_BLOCK = 1 << 22


def check_target(out: str | Path) -> Path:
    """The folder to write a reference to, before hours of work end in an error.

    Raises:
        UsageError: it cannot be written, or holds something else than a reference.
    """
    check_folder_writable(out)
    path = Path(out)
    if path.is_dir() and any(path.iterdir()):
        try:
            read_manifest(path)
        except InputError as error:
            if not _says_reference(path):
                raise UsageError(
                    f"cannot write the reference to {path}: expected no such folder, or an earlier "
                    "reference, which is replaced. Name another folder."
                ) from error
    return path


def _says_reference(folder: Path) -> bool:
    """Whether a manifest that cannot be used names itself one of a reference."""
    try:
        return f'"{FORMAT}"'.encode() in (folder / MANIFEST).read_bytes()
    except OSError:
        return False


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `out` if the block succeeds, and vanishes otherwise.

    Raises:
        UsageError: the disk is full or not writable.
    """
    target = out.resolve() if out.is_symlink() else out.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            new = stage / "new"
            new.mkdir()
            yield new
            if target.exists():
                target.rename(stage / "old")
            try:
                new.rename(target)
            except BaseException:
                with suppress(OSError):
                    (stage / "old").rename(target)
                raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"cannot write the reference to {out}: {os_reason(error)}.") from error


def write_array(path: Path, array: Any) -> None:
    """Write a .npy file; nothing is pickled."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def link_or_copy(source: Path, target: Path) -> None:
    """The same file in another folder, without a second copy where the file system allows it."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def file_entry(path: Path) -> File:
    """Size and SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                hasher.update(block)
        return File(bytes=path.stat().st_size, sha256=hasher.hexdigest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_reason(error)}.") from error


def check_digest(folder: Path, manifest: Manifest, name: str) -> None:
    """Refuse a file whose content is not the one that the manifest names.

    Args:
        folder: of the reference.
        manifest: of the reference.
        name: the file's path in the folder.

    Raises:
        InputError: it was changed or damaged, or cannot be read.
    """
    expected, actual = manifest.files[name].sha256, file_entry(folder / name).sha256
    if actual != expected:
        raise InputError(
            f"{folder / name}: expected SHA-256 {expected}, got {actual}: the file was changed or "
            "damaged. Get the reference again."
        )


def list_files(folder: Path) -> dict[str, File]:
    """`file_entry` of every file in a folder but the manifest, by path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): file_entry(path)
        for path in paths
        if path.name != MANIFEST
    }


def check_sizes(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder in which a file is missing or of another size than the manifest says.

    Raises:
        InputError: the file is named.
    """
    for name, entry in manifest.files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise InputError(
                f"{folder / name}: {os_reason(error)}; the reference is not complete. Get it again."
            ) from error
        if size != entry.bytes:
            raise InputError(
                f"{folder / name}: expected {entry.bytes:,} bytes, got {size:,}; the file is "
                "damaged. Get the reference again."
            )
