"""What a GAN's checkpoint holds beside its tensors, and whether a run may go on from it."""

from __future__ import annotations

from pathlib import Path

from genmem.errors import InputError, UsageError
from genmem.results import Json
from genmem.training.checkpoints import Checkpoint, check_processes, load_checkpoint, load_state
from genmem.training.gan.settings import Settings, fixed

KIND = "gan"
"""Of the checkpoints."""

_KINDS: dict[str, tuple[type, ...]] = {
    "step": (int,),
    "settings": (dict,),
    "classes": (list,),
    "images": (str,),
    "rejection": (dict, type(None)),
    "scaler": (dict, type(None)),
}


def load_gan(path: Path) -> Checkpoint:
    """Read a GAN's checkpoint.

    Raises:
        InputError: there is none, it is cut short or damaged, or another program's.
    """
    checkpoint = load_checkpoint(path, kind=KIND)
    _check_state(checkpoint.state, path)
    return checkpoint


def load_gan_state(path: Path) -> dict[str, Json]:
    """The state alone, without reading the tensors.

    Raises:
        InputError: as of `load_gan`.
    """
    state = load_state(path, kind=KIND)
    _check_state(state, path)
    return state


def _check_state(state: dict[str, Json], path: Path) -> None:
    for name, kinds in _KINDS.items():
        if name not in state or not isinstance(state[name], kinds) or state[name] is True:
            raise _foreign(path, f"{name} is missing or of the wrong kind")
    if state["step"] < 0 or not all(isinstance(name, str) for name in state["classes"]):
        raise _foreign(path, "step or classes are of the wrong kind")
    rejection = state["rejection"]
    if rejection is not None and type(rejection.get("steps")) is not int:
        raise _foreign(path, "the steps of the rejection are missing")


def _foreign(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: expected a checkpoint of genmem train gan: {what}. Go on from another one, or "
        "start anew."
    )


def check_same_run(
    checkpoint: Checkpoint, settings: Settings, *, images: str, processes: int
) -> None:
    """Refuse to go on with a checkpoint that another training made.

    Args:
        checkpoint: from `load_gan`.
        settings: of this run.
        images: the digest of its images.
        processes: in which it trains: what is random depends on their number. Checkpoints of older
            versions do not tell theirs.

    Raises:
        UsageError: it is of another model, other settings, other images or more or fewer processes.
    """
    state, path = checkpoint.state, checkpoint.path
    own = fixed(settings.to_dict())
    for name, value in state["settings"].items():
        if own.get(name) != value:
            raise UsageError(
                f"{path}: the checkpoint was made with {name} = {value!r}, this run has "
                f"{own.get(name)!r}. Resume the run it belongs to, or start another."
            )
    check_processes(checkpoint, processes)
    if state["images"] != images:
        raise UsageError(
            f"{path}: the checkpoint was trained on other images than {settings.data} "
            "holds now. Resume with the same images."
        )
