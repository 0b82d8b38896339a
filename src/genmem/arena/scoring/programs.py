"""The sandboxed program of a submission of code: its packages, inputs and limits."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

from genmem.arena import sandbox
from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.scoring import code_archive, packages
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.reference import is_reference


def unpack(submission: Submission, folder: Path) -> code_archive.Command:
    """Unpack a submission's zip to `folder`/code, and read its command.

    Args:
        submission: of kind "code".
        folder: the run's folder.

    Raises:
        SubmissionError: the zip, its manifest or its lock file is invalid.
    """
    limit = submission.team.competition.maximum_upload_bytes
    with storage.local(submission.file) as path:
        code_archive.unpack(path, folder / "code", zip_bytes=limit)
    command = code_archive.read_command(folder / "code")
    if command.image is not None and (folder / "code" / packages.LOCK).is_file():
        raise SubmissionError(
            f"The zip has {packages.LOCK} and names an image. Packages of an image are part of it: "
            "remove one of the two."
        )
    return command


def program_of(
    competition: Competition, command: code_archive.Command, folder: Path
) -> sandbox.Program:
    """The program in `folder`/code, which leaves its images in `folder`/output.

    Args:
        competition: gives the training images.
        command: from `unpack`.
        folder: the run's folder.

    Raises:
        SubmissionError: it locks packages that are missing here.
        SetupError: the competition or this machine cannot run it.
    """
    arguments, inputs = command.arguments, _training_images(competition)
    wheels = _wheels_folder(folder)
    if wheels is not None:
        inputs = {**inputs, packages.WHEELS: wheels}
        arguments = packages.install_command(arguments, f"/inputs/{packages.WHEELS}")
    return sandbox.Program(
        folder=folder / "code",
        command=arguments,
        output=folder / "output",
        inputs=inputs,
        environment=None if command.image else Path(sys.prefix),
        image=command.image,
    )


def limits_of(competition: Competition, program: sandbox.Program) -> sandbox.Limits:
    """The limits of one run, with room for its packages.

    Args:
        competition: sets the limits.
        program: from `program_of`.

    Raises:
        SubmissionError: its packages do not fit into `/scratch`.
    """
    wheels = program.inputs.get(packages.WHEELS)
    files, size = packages.unpacked_size(sorted(wheels.iterdir())) if wheels else (0, 0)
    if size > program.scratch_bytes:
        raise SubmissionError(
            f"The packages of {packages.LOCK} that are missing here need {size:,} bytes; /scratch "
            f"has {program.scratch_bytes:,} for them and the program's files."
        )
    return sandbox.Limits(
        wall_seconds=competition.wall_seconds,
        memory_bytes=competition.memory_bytes,
        disk_bytes=competition.maximum_upload_bytes,
        file_bytes=competition.maximum_upload_bytes,
        cpus=os.cpu_count() or 1,
        # Folders count too, and packages are in `/scratch` twice while they are installed.
        files=2 * competition.image_count + 1_000 + 4 * files,
    )


def _training_images(competition: Competition) -> dict[str, Path]:
    """The public training images, by their name in /inputs."""
    split = split_in_force(competition, "public")
    if split is None:
        raise SetupError("the competition has no public split: set it up, then score again")
    if split.train.startswith("hf:"):
        return {}
    if is_reference(split.train):
        raise SetupError(
            f"{split.train} is a reference, and submitted code trains on images: name the images "
            "as the public split's training images"
        )
    path = Path(split.train)
    if not path.exists():
        raise SetupError(f"{path} is missing on {os.uname().nodename}, where the code would run")
    return {f"train{'' if path.is_dir() else path.suffix}": path}


def _wheels_folder(folder: Path) -> Path | None:
    """A folder with the wheels to be installed; None if there are none."""
    lock = folder / "code" / packages.LOCK
    if not lock.is_file():
        return None
    if lock.stat().st_size > packages.MAX_LOCK_BYTES:
        raise SubmissionError(
            f"{packages.LOCK}: expected at most {packages.MAX_LOCK_BYTES:,} bytes."
        )
    try:
        pins = packages.parse_lock(lock.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SubmissionError(f"{packages.LOCK}: expected text in UTF-8.") from None
    folders = (folder / "code" / packages.WHEELS, settings.ARENA.folder / packages.WHEELS)
    wheels = packages.find_wheels(pins, folders)
    if not wheels:
        return None
    packages.copy_wheels(wheels, folder / packages.WHEELS)
    return folder / packages.WHEELS
