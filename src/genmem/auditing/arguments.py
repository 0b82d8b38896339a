"""The arguments of one audit, checked before anything is read; its limits and stages' times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from genmem.auditing.augment_option import AugmentationFamilies, build_families
from genmem.auditing.group_labels import GroupsOption, check_groups
from genmem.auditing.local import LOCAL
from genmem.errors import UsageError
from genmem.features import Backbone, FeatureExtractor, LoadedBackbone, find_backbone
from genmem.images import Augmentation
from genmem.scoring.feature_sets import ExtractOptions
from genmem.scoring.plan import check_seed
from genmem.scoring.stored_sets import StoredSet

MAX_NEIGHBORS = 100
"""Listed for each image: memory and the tables' columns grow with it."""

NULL_ROWS = 10_000
"""Training images that are left out in turn where no held-out images are given."""

MIN_TRAIN = 3
"""Training images: each is compared with several others."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The arguments of `genmem.audit`, with sets, backbones and augmentations looked up.

    Attributes:
        sources: the sets by role, as given; those of a reference as `StoredSet`s.
        are_features: by role, whether a set was given as features.
        networks: the feature spaces, in the given order; those that are open already as they are.
        augmentations: of all spaces, the unchanged image first.
        families: the augmentations by family, of each space.
        options: weights, device, broken images and progress.
        seconds: the time of each stage; `timed` adds to it.
        neighbors, level, local, drop_duplicates, groups, power, classes, seed, announce: as of
            `genmem.audit`.
    """

    sources: Mapping[str, Any]
    are_features: Mapping[str, bool]
    networks: Sequence[Backbone | LoadedBackbone]
    augmentations: tuple[Augmentation, ...]
    families: Mapping[str, AugmentationFamilies]
    neighbors: int
    level: float
    local: bool | None
    drop_duplicates: bool
    groups: GroupsOption | None
    power: bool
    classes: bool
    seed: int
    options: ExtractOptions
    announce: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def backbones(self) -> list[Backbone]:
        """The entries of the feature spaces."""
        return [find_backbone(network) for network in self.networks]

    def check(self) -> None:
        """Refuse arguments that do not go together, before anything is read."""
        if not isinstance(self.level, Real) or not 0 < self.level < 1:
            raise UsageError(f"level: expected a rate between 0 and 1, got {self.level!r}.")
        if not isinstance(self.neighbors, Integral) or not 1 <= self.neighbors <= MAX_NEIGHBORS:
            raise UsageError(
                f"neighbors: expected at least 1 and at most {MAX_NEIGHBORS}, got "
                f"{self.neighbors!r}."
            )
        check_seed(self.seed)
        if self.local is not False and any(entry.name == LOCAL for entry in self.backbones):
            raise UsageError(
                f"backbone: {LOCAL!r} is the name of local evidence; name the network otherwise, "
                "or leave local evidence out with --no-local (local=False)."
            )
        check_groups(self.groups)
        is_given = [
            is_feature
            for role, is_feature in self.are_features.items()
            if not isinstance(self.sources[role], StoredSet)
        ]
        mixed = any(is_given) and not all(is_given)
        if mixed and len(self.backbones) > 1:
            raise UsageError(
                "features are one space: name only the backbone that made them, or give images."
            )
        self._check_pixels()

    def _check_pixels(self) -> None:
        """Refuse what needs pixels of sets that have none."""
        train = self.sources["train"]
        if isinstance(train, StoredSet):
            needs = {
                "augment": len(self.augmentations) > 1,
                "local": self.local,
                "power": self.power,
            }
            for name in (name for name, is_wanted in needs.items() if is_wanted):
                raise UsageError(
                    f"{name}: needs the pixels of the training images, and {train.reference.name} "
                    "is a reference, which has none. Give the images (--train)."
                )
        if self.are_features["train"] and len(self.augmentations) > 1:
            raise UsageError("augment: features cannot be augmented; give images as train.")
        if self.are_features["train"] and self.classes:
            raise UsageError("classes: features have none; give images as train.")
        if self.power and any(self.are_features.values()):
            raise UsageError("power: features cannot be disguised; give all sets as images.")

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a stage to `seconds`."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def families_of(self, extractor: FeatureExtractor | None) -> AugmentationFamilies:
        """The families of one space; features cannot be augmented."""
        return build_families(()) if extractor is None else self.families[extractor.backbone.name]
