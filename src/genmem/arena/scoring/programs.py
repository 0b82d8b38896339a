"""What is run for one submission of code: its program, its packages, what it sees and may take."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

from genmem.arena import sandbox
from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.scoring import code_archive, packages
from genmem.arena.scoring.steps import Failure, Refusal
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission


def unpacked(submission: Submission, folder: Path) -> code_archive.Command:
    """Unpack a submission's zip to `folder`/code; what is to be run there.

    Raises:
        Refusal: the zip, its manifest or its lock is at fault.
    """
    limit = submission.team.competition.maximum_upload_bytes
    with storage.local(submission.file) as path:
        code_archive.unpack(path, folder / "code", zip_bytes=limit)
    command = code_archive.command_in(folder / "code")
    if command.image is not None and (folder / "code" / packages.LOCK).is_file():
        raise Refusal(
            f"The zip has {packages.LOCK} and names an image: packages of an image are part of it, "
            "so leave one of the two out."
        )
    return command


def program_of(
    competition: Competition, command: code_archive.Command, folder: Path
) -> sandbox.Program:
    """The program in `folder`/code, which leaves its images in `folder`/output.

    Raises:
        Refusal: it locks packages that are not here.
        Failure: the competition or this machine cannot run it.
    """
    words, inputs = command.words, _training_images(competition)
    wheels = _wheels(folder)
    if wheels is not None:
        inputs = {**inputs, packages.WHEELS: wheels}
        words = packages.installing(words, f"/inputs/{packages.WHEELS}")
    return sandbox.Program(
        folder=folder / "code",
        command=words,
        output=folder / "output",
        inputs=inputs,
        environment=None if command.image else Path(sys.prefix),
        image=command.image,
    )


def limits_of(competition: Competition, program: sandbox.Program) -> sandbox.Limits:
    """What one run may take; its packages, which lie in `/scratch` twice for a moment, are extra.

    Raises:
        Refusal: its packages do not fit into `/scratch`.
    """
    wheels = program.inputs.get(packages.WHEELS)
    files, size = packages.size_of(sorted(wheels.iterdir())) if wheels else (0, 0)
    if size > program.scratch_bytes:
        raise Refusal(
            f"The packages of {packages.LOCK} that are not on this machine take {size:,} bytes; "
            f"there are {program.scratch_bytes:,} for them and what the program writes."
        )
    return sandbox.Limits(
        wall_seconds=competition.wall_seconds,
        memory_bytes=competition.memory_bytes,
        disk_bytes=competition.maximum_upload_bytes,
        file_bytes=competition.maximum_upload_bytes,
        cpus=os.cpu_count() or 1,
        files=2 * competition.image_count + 1_000 + 4 * files,  # folders count too
    )


def _training_images(competition: Competition) -> dict[str, Path]:
    """The public ones and nothing else."""
    split = split_in_force(competition, "public")
    if split is None:
        raise Failure("the competition has no public split: set it up, then score again")
    if split.train.startswith("hf:"):
        return {}
    path = Path(split.train)
    if not path.exists():
        raise Failure(f"{path} is missing on {os.uname().nodename}, where the code would run")
    return {f"train{'' if path.is_dir() else path.suffix}": path}


def _wheels(folder: Path) -> Path | None:
    """A folder with the wheels that are to be installed; None where there are none."""
    lock = folder / "code" / packages.LOCK
    if not lock.is_file():
        return None
    if lock.stat().st_size > packages.LARGEST:
        raise Refusal(f"{packages.LOCK}: expected at most {packages.LARGEST:,} bytes.")
    try:
        pins = packages.pins_in(lock.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Refusal(f"{packages.LOCK}: expected text in UTF-8.") from None
    places = (folder / "code" / packages.WHEELS, settings.ARENA.folder / packages.WHEELS)
    found = packages.wheels_for(pins, places)
    if not found:
        return None
    packages.gather(found, folder / packages.WHEELS)
    return folder / packages.WHEELS
