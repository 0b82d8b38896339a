"""Runs custom networks: torch modules, programs and callables that take a batch [b, 3, h, w]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.errors import GenmemError, InputError
from genmem.features.backbone import FeaturesAndLogits
from genmem.features.onnx_engine import as_rows

if TYPE_CHECKING:
    from torch import nn

BATCH_SIZE = 16

ONCE_MORE, IN_A_BATCH = 1e-3, 0.02
"""The largest differences of features, over their norm, that count as rounding: of a second run of
one image (networks on GPUs add in any order), and of a batch of another size (in bfloat16 too)."""


class NetworkEngine:
    """A custom network on one device, in evaluation mode and without gradients while it runs."""

    dimension: int | None = None
    note: str | None = None
    batch_size = BATCH_SIZE

    def __init__(self, network: Callable[..., Any], *, device: str, title: str) -> None:
        self._network, self._device, self._title = network, device, title
        self.name = f"torch {device.partition(':')[0]}"

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images [b, h, w, 3] → features of the first output; no logits."""
        rows = self._run(batch)
        if self.dimension is None:
            check_repeatable(self._run, batch, self._title)
        self.dimension = rows.shape[1]
        return rows, None

    def _run(self, batch: NDArray) -> NDArray[np.float32]:
        import torch

        from genmem.torch_settings import default_torch_settings

        images = torch.from_numpy(np.array(batch.transpose(0, 3, 1, 2), order="C"))
        try:
            with (
                torch.inference_mode(),
                default_torch_settings(),
                _evaluation_mode(self._network),
            ):
                output = self._network(images.to(self._device))
        except GenmemError:
            raise
        except Exception as error:  # whatever the network raises
            if isinstance(error, MemoryError) or "allocate" in str(error):
                raise
            raise InputError(self._failure(batch, error)) from error
        return as_rows(_first_output(output, self._title), len(batch), self._title, self.dimension)

    def _failure(self, batch: NDArray, error: Exception) -> str:
        """What the network was given, what it raised, and what helps."""
        count, height, width, _ = batch.shape
        reason = " ".join(str(error).split()) or "no message"
        return (
            f"{self._title}: the network failed on images {[count, 3, height, width]} of "
            f"{batch.dtype} ({type(error).__name__}: …{reason[-200:]}). "
            + (
                "They are not scaled, 0–255; if it expects scaled images, say how, as in "
                "--preprocess imagenet,288 or custom_backbone(…, preprocess=…)."
                if batch.dtype == np.uint8
                else "Check the scale and the size that --preprocess (preprocess=) gives."
            )
        )


def check_repeatable(run: Callable[[NDArray], NDArray], batch: NDArray, title: str) -> None:
    """Refuse a network whose features of an image depend on other images, or on chance.

    A file or function can carry dropout or batch normalization in training mode, which nothing here
    can switch off. The first image and its negative, since a plain image may hide chance, are given
    together, once more, and alone.

    Args:
        run: images [b, h, w, 3] → features [b, d].
        batch: at least one image.
        title: the network, for messages.

    Raises:
        InputError: the features of an image differ.
    """
    first = batch[:1]
    negative = (255 if first.dtype == np.uint8 else 1) - first
    pair = np.concatenate([first, negative])
    together, again = run(pair), run(pair)
    alone = np.concatenate([run(first), run(negative)])
    norms = np.linalg.norm(together, axis=1)
    differs = (np.linalg.norm(together - again, axis=1) > ONCE_MORE * norms).any()
    if differs or (np.linalg.norm(together - alone, axis=1) > IN_A_BATCH * norms).any():
        raise InputError(
            f"{title}: expected an image to have the same features again, and in a batch, but "
            "those of the first image or its negative differ. The network is in training mode "
            "(dropout, batch normalization) or draws random numbers: call .eval() before it is "
            "exported or used."
        )


def _first_output(output: Any, title: str) -> NDArray:
    """The first output of a network as an array."""
    first: Any = output[0] if isinstance(output, tuple | list) and output else output
    if not hasattr(first, "__array__") and not hasattr(first, "__dlpack__"):
        raise InputError(
            f"{title}: expected features [b, d], or a tuple that begins with them, got "
            f"{type(first).__name__}; wrap the network in a function that gives the features."
        )
    return to_numpy(first.float() if hasattr(first, "float") else first)


@contextmanager
def _evaluation_mode(network: Callable[..., Any]) -> Iterator[None]:
    """Put the parts of a module that are in training mode into evaluation mode for a while."""
    modules = getattr(network, "modules", tuple)
    training = [module for module in modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def weights_digest(module: nn.Module) -> str:
    """Hash of a module's parameters and buffers, by name; 64 hexadecimal digits."""
    import torch

    hashed = sha256()
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        held = value.detach().cpu().contiguous()
        hashed.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        hashed.update(held.flatten().view(torch.uint8).numpy().data)
    return hashed.hexdigest()
