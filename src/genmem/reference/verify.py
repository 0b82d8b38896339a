"""`verify_reference`: is every file of a reference the one that was written?"""

from __future__ import annotations

from pathlib import Path

from genmem.errors import InputError
from genmem.images import Progress
from genmem.reference.folder import file_entry
from genmem.reference.reference import Reference, open_reference


def verify_reference(path: str | Path, *, progress: Progress | None = None) -> Reference:
    """Recompute the digest of every file, and read every array.

    Args:
        path: the reference.
        progress: called with (stage, done, total).

    Raises:
        InputError: the first file that is missing, damaged, or holds what it must not.
    """
    reference = open_reference(path)
    files = reference.manifest.files
    for done, (name, expected) in enumerate(files.items()):
        if progress is not None:
            progress(f"verifying {reference.name}", done, len(files))
        actual = file_entry(reference.folder / name)
        if actual.sha256 != expected.sha256:
            raise InputError(
                f"{reference.folder / name}: expected SHA-256 {expected.sha256}, got "
                f"{actual.sha256}: the file was changed or damaged. Get the reference again."
            )
    _read_all(reference)
    return reference


def _read_all(reference: Reference) -> None:
    """Read what the digests cannot vouch for: that arrays have their shapes and finite values."""
    for space in map(reference.space, reference.spaces):
        for name in space.array_names:
            space.array(name)
        for role in reference.manifest.sets:
            space.features(role)
    for role, entry in reference.manifest.sets.items():
        reference.ids(role).read()
        reference.hashes(role)
        reference.properties(role)
        if entry.thumbnails:
            reference.thumbnail(role, 0)
            reference.thumbnail(role, entry.count - 1)
