"""`genmem.RunningScore`: a score of images that come in batches, for use inside a training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import (
    as_source,
    check_same_dimension,
)
from genmem.errors import InputError, UsageError
from genmem.features import (
    BackboneLike,
    Device,
    RowIds,
    extract,
    is_statistics,
    load_backbone,
    load_features,
)
from genmem.images import ValueRange
from genmem.progress import ProgressOption, show_progress
from genmem.results import InputSummary, Score, Yardstick
from genmem.scoring.feature_sets import (
    ExtractOptions,
    FeatureSet,
    FeatureSets,
    check_same_shape,
    load_feature_sets,
    open_set,
)
from genmem.scoring.one_space import score_feature_sets
from genmem.scoring.plan import plan_for
from genmem.scoring.searches import Remembered
from genmem.scoring.stored_sets import StoredSet, default_backbone, open_references


class RunningScore:
    """`score` against a fixed training set, over generated images that come in batches.

        running = genmem.RunningScore(train="train.zip", metrics=["fd", "mifid"])
        for batch in sampler:             # uint8 images, or features
            running.update(batch)
        print(float(running.compute()["mifid"]))
        running.reset()

    The features of train and test are extracted (or found in the cache) once, by the constructor.
    Of the generated images the features are stored, float32 [n, d]. `compute` returns what `score`
    returns for all images seen; workers `merge` before one of them computes. What it found out of
    train and test, and the nearest training images of those seen, it remembers: the next `compute`
    searches for the new images alone.
    """

    def __init__(
        self,
        *,
        train: Any,
        test: Any = None,
        backbone: BackboneLike | None = None,
        metrics: Sequence[str] | None = None,
        tau: float | None = None,
        seed: int = 0,
        weights: str | Path | None = None,
        device: Device = "auto",
        batch_size: int | None = None,
        value_range: ValueRange | None = None,
        skip_broken: bool = False,
        progress: ProgressOption = None,
    ) -> None:
        """Prepare the fixed sets; arguments and errors as for `genmem.score`.

        The generated images are assumed to come as train does: images or features. Where train is
        statistics (`Statistics`, or a file of them) or a reference of images the backbone is
        loaded, so that images can come; features may.
        """
        sources = {"train": as_source(train, role="train")}
        if test is not None:
            sources["test"] = as_source(test, role="test")
        sources = open_references(sources)
        backbone = default_backbone(sources["train"]) if backbone is None else backbone
        takes_images = is_statistics(sources["train"]) or _is_of_images(sources["train"])
        self._plan = plan_for(
            {"generated": () if takes_images else sources["train"], **sources},
            metrics=metrics,
            tau=tau,
            seed=seed,
            backbone=backbone,
        )
        with show_progress(progress) as show, ExitStack() as stack:
            options = ExtractOptions(
                weights=weights,
                device=device,
                batch_size=batch_size,
                value_range=value_range,
                skip_broken=skip_broken,
                progress=show,
            )
            self._options = replace(options, progress=None)
            sets = load_feature_sets(
                sources, stack=stack, backbone=backbone, options=options, statistics=True
            )
            # The sources are closed after this, so closest pairs have no pictures.
            self._fixed = {
                role: _without_source(features) for role, features in sets.by_role.items()
            }
            self._extractor = sets.extractor
            if takes_images and sets.extractor is None:
                self._extractor = load_backbone(
                    backbone, weights=weights, device=device, progress=show
                )
        self._yardstick: Yardstick | None = None
        self._remembered = Remembered()
        check_same_dimension(**{role: features.matrix for role, features in self._fixed.items()})
        self.reset()

    def reset(self) -> None:
        """Forget the generated images seen so far; train and test stay."""
        self._features: list[NDArray[np.float32]] = []
        self._logits: list[NDArray[np.float32]] = []
        self._remembered.searches = None

    @property
    def count(self) -> int:
        """Generated images seen so far."""
        return sum(len(part) for part in self._features)

    def update(self, generated: Any) -> None:
        """Add a batch.

        Args:
            generated: images, whatever `open_images` takes: an array or tensor [b, H, W, 3] or
                [b, 3, H, W], a list of Pillow images, a loader's (images, labels), …; or features,
                float [b, d], of the same backbone as train's.

        Raises:
            InputError: the batch is neither, an image is broken, its images are of another size
                than train's where the backbone compares images of one size, or its features have
                another dimension than train's. The batch is not added then; those before it stay.
            UsageError: images were given, but train came as features, so no backbone is open.
        """
        generated = as_source(generated, role="generated")
        if getattr(generated, "ndim", None) == 2:
            generated = load_features(generated, role="generated").array
            check_same_dimension(generated=generated, train=self._fixed["train"].matrix)
            self._features.append(np.array(generated, order="C"))  # the caller may reuse theirs
            return
        if self._extractor is None:
            raise UsageError(
                "expected features [b, d], like train's, got images; give train as images too, "
                "so that a backbone is loaded."
            )
        with open_set(generated, "generated", self._options) as source:
            features = extract(
                source,
                extractor=self._extractor,
                batch_size=self._options.batch_size,
                cache=None,
            )
        check_same_shape(generated=features.shape, train=self._fixed["train"].shape)
        check_same_dimension(generated=features.array, train=self._fixed["train"].matrix)
        self._features.append(features.array)
        if features.logits is not None:
            self._logits.append(features.logits)

    def merge(self, other: RunningScore) -> None:
        """Add the images that another worker saw against the same training set.

        Raises:
            UsageError: the other score has another training set, test set or backbone, or is this
                score itself, whose images would count twice.
        """
        if other is self:
            raise UsageError("a score cannot be merged into itself: its images would count twice.")
        if other._identity() != self._identity():
            raise UsageError("only scores against the same sets and backbone can be merged.")
        self._features.extend(other._features)
        self._logits.extend(other._logits)

    def _identity(self) -> tuple[object, ...]:
        """What two scores must share to be merged: the fixed sets and the feature space."""
        described = self._extractor.describe() if self._extractor else {}
        space = [described.get(key) for key in ("name", "preprocessing", "weights_sha256")]
        digests = {role: features.summary.digest for role, features in self._fixed.items()}
        return digests, space, self._fixed["train"].matrix.shape

    def compute(self) -> Score:
        """The score of all images seen since the last reset.

        Raises:
            InputError: no images were seen, or too few for a metric chosen by name.
        """
        if not self._features:
            raise InputError("generated: expected at least one batch before compute(), got none.")
        features = np.concatenate(self._features)
        # Batches of features have no logits; metrics of logits need them for every image.
        complete = sum(len(part) for part in self._logits) == len(features)
        summary = InputSummary(
            source="batches",
            kind="features" if self._extractor is None else "images",
            count=len(features),
            digest=hashlib.blake2b(features.data, digest_size=16).hexdigest(),
        )
        generated = FeatureSet(
            array=features,
            logits=np.concatenate(self._logits) if complete else None,
            ids=RowIds(np.arange(len(features)), None),
            summary=summary,
            source=None,
            positions=np.arange(len(features)),
        )
        plan = self._plan
        if not complete:
            plan = plan.without("logits", why="some images came as features, without logits")
        sets = FeatureSets({"generated": generated, **self._fixed}, self._extractor)
        score = score_feature_sets(
            sets, plan, yardstick=self._yardstick, remembered=self._remembered
        )
        self._yardstick = score.yardstick  # train and test stay the same
        return score


def _is_of_images(train: Any) -> bool:
    """Whether a reference was made of images, which may come, too."""
    return isinstance(train, StoredSet) and train.reference.manifest.train.kind == "images"


def _without_source(features: FeatureSet) -> FeatureSet:
    # A memory map is pickled whole, but as an array that no file is behind any more.
    array = np.asarray(features.array) if isinstance(features.array, np.memmap) else features.array
    return replace(features, array=array, source=None, ids=RowIds(features.positions, None))
