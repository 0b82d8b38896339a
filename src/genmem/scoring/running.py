"""`genmem.RunningScore`: a score of images that come in batches, for use inside a training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import check_features, check_same_dimension, to_numpy
from genmem.errors import InputError, UsageError
from genmem.features import Device, RowIds, extract
from genmem.images import Progress, open_images
from genmem.results import InputSummary, Score
from genmem.scoring.inputs import Inputs, Rows, prepare
from genmem.scoring.score import plan_for, score_inputs


class RunningScore:
    """`score` against a fixed training set, over generated images that come in batches.

        running = genmem.RunningScore(train="train.zip", metrics=["fd", "mifid"])
        for batch in sampler:             # uint8 images, or features
            running.update(batch)
        print(float(running.compute()["mifid"]))
        running.reset()

    The features of train and test are made (or found in the cache) once, when it is constructed.
    What is kept of the generated images is their features, float32 [n, d]. `compute` gives what
    `score` gives on all images seen; workers `merge` before one of them computes.
    """

    def __init__(
        self,
        *,
        train: Any,
        test: Any = None,
        backbone: str = "inception",
        metrics: Sequence[str] | None = None,
        tau: float | None = None,
        seed: int = 0,
        weights: str | Path | None = None,
        device: Device = "auto",
        progress: Progress | None = None,
    ) -> None:
        """Prepare the fixed sets; arguments and errors as for `genmem.score`."""
        given = {"train": train} if test is None else {"train": train, "test": test}
        # The generated images will come as train does.
        self._plan = plan_for(
            {"generated": train, **given},
            metrics=metrics,
            tau=tau,
            seed=seed,
            backbone=backbone,
        )
        with ExitStack() as stack:
            inputs = prepare(
                given,
                stack=stack,
                backbone=backbone,
                weights=weights,
                device=device,
                progress=progress,
            )
            # Nothing is read from the sources after this: pictures of pairs are not shown.
            self._fixed = {role: _without_source(rows) for role, rows in inputs.rows.items()}
        self._extractor = inputs.extractor
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget the generated images seen so far; train and test stay."""
        self._features: list[NDArray[np.float32]] = []
        self._logits: list[NDArray[np.float32]] = []

    @property
    def count(self) -> int:
        """Generated images seen so far."""
        return sum(len(part) for part in self._features)

    def update(self, generated: Any) -> None:
        """Add a batch.

        Args:
            generated: uint8 images, NumPy [b, H, W, 3] or torch [b, 3, H, W]; or features, float
                [b, d], of the same backbone as train's.

        Raises:
            InputError: the batch is neither, or its features do not go with train's.
            UsageError: images were given, but train came as features, so no backbone is open.
        """
        if not hasattr(generated, "ndim"):
            raise InputError(
                "generated: expected one array or tensor, uint8 images [b, H, W, 3] or features "
                f"[b, d], got {type(generated).__name__}; stack the images with numpy.stack."
            )
        if generated.ndim == 2:
            check_features(generated, role="generated")
            check_same_dimension(generated=generated, train=self._fixed["train"].array)
            self._features.append(np.array(to_numpy(generated), dtype=np.float32))
            return
        if self._extractor is None:
            raise UsageError(
                "expected features [b, d], like train's, got images; give train as images too, "
                "so that a backbone is loaded."
            )
        with open_images(_channels_last(generated)) as source:
            found = extract(source, extractor=self._extractor, cache=None)
        self._features.append(found.array)
        if found.logits is not None:
            self._logits.append(found.logits)

    def merge(self, other: RunningScore) -> None:
        """Take in the images another worker saw against the same training set.

        Raises:
            UsageError: it was made against another training set or with other features.
        """
        if other._identity() != self._identity():
            raise UsageError("only scores against the same sets and backbone can be merged.")
        self._features.extend(other._features)
        self._logits.extend(other._logits)

    def _identity(self) -> tuple[object, ...]:
        """What two scores must share to be merged: the fixed sets and the features."""
        described = self._extractor.describe() if self._extractor else {}
        digests = {role: rows.summary.digest for role, rows in self._fixed.items()}
        return digests, described, self._fixed["train"].array.shape

    def compute(self) -> Score:
        """The score of all images seen since the last reset.

        Raises:
            InputError: none were seen, or too few for a metric asked for by name.
        """
        if not self._features:
            raise InputError("generated: expected at least one batch before compute(), got none.")
        features = np.concatenate(self._features)
        # Batches of features bring no logits: the Inception Score needs them for every image.
        complete = sum(len(part) for part in self._logits) == len(features)
        summary = InputSummary(
            source="batches",
            kind="features" if self._extractor is None else "images",
            count=len(features),
            digest=hashlib.blake2b(features.data, digest_size=16).hexdigest(),
        )
        generated = Rows(
            array=features,
            logits=np.concatenate(self._logits) if complete else None,
            ids=RowIds(np.arange(len(features)), None),
            summary=summary,
            source=None,
            positions=np.arange(len(features)),
        )
        plan = self._plan
        if generated.logits is None:
            plan = replace(plan, names=tuple(n for n in plan.names if n != "inception_score"))
        inputs = Inputs({"generated": generated, **self._fixed}, self._extractor)
        return score_inputs(inputs, plan, seed=self._seed)


def _without_source(rows: Rows) -> Rows:
    return replace(rows, source=None, ids=RowIds(rows.positions, None))


def _channels_last(images: Any) -> Any:
    """torch's [b, 3, H, W] as [b, H, W, 3]; NumPy arrays and anything else as they are."""
    if is_torch_array(images) and images.ndim == 4 and images.shape[1] in (1, 3):
        return images.permute(0, 2, 3, 1)
    return images
