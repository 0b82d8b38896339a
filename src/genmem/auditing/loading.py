"""The sets of an audit, opened and loaded in every feature space."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from genmem.arrays import as_feature_sets, check_at_least, row_counts
from genmem.auditing.arguments import MIN_TRAIN, NULL_ROWS, Arguments
from genmem.auditing.augment_option import flatten
from genmem.auditing.cost_estimate import estimate_extraction
from genmem.auditing.detectable_copies import announce_detectable
from genmem.auditing.feature_spaces import PLANTED, is_streamed
from genmem.auditing.group_labels import check_group_labels
from genmem.auditing.local import estimate_local
from genmem.auditing.local_search import why_not_local
from genmem.auditing.power import plant_copies
from genmem.errors import UsageError
from genmem.features import FeatureExtractor
from genmem.features.preprocessing import Identity
from genmem.images import ImageSource, open_images, read_classes
from genmem.io.paths import refuse_empty
from genmem.scoring.feature_sets import (
    FeatureSets,
    load_feature_sets,
    open_backbones,
    open_set,
)
from genmem.scoring.gpu import on_gpu
from genmem.scoring.stored_sets import StoredSet


def load_spaces(arguments: Arguments, stack: ExitStack) -> list[FeatureSets]:
    """The sets in every feature space, in the given order, planted copies among them.

    Args:
        arguments: checked.
        stack: closes the image sources when the caller is done with them.

    Raises:
        InputError: a set is empty, unreadable or broken, there are too few training images, or
            groups do not go with them.
        UsageError: classes, groups or local evidence are asked for, and the images have none.
        WeightsError: a backbone's weights are missing and cannot be obtained.
    """
    for role, source in arguments.sources.items():
        refuse_empty(source, name=role)
    opened: dict[str, Any] = {
        role: source
        if arguments.are_features[role] or isinstance(source, StoredSet)
        else stack.enter_context(open_set(source, role, arguments.options))
        for role, source in arguments.sources.items()
    }
    if arguments.classes and not any(_classes(opened["train"])):
        raise UsageError(
            "classes: the training images have none: all lie in one folder or have one label. "
            "Put each class in a folder of its own, or leave out --classes."
        )
    check_group_labels(arguments.groups, opened)
    why_no_local = why_not_local(arguments.local, opened)
    if arguments.power:
        opened[PLANTED] = stack.enter_context(_plant(arguments, opened))
    extractors = open_backbones(arguments.networks, list(opened.values()), arguments.options)
    for extractor in extractors:
        if extractor is not None:
            augmentations = flatten(arguments.families_of(extractor))
            arguments.announce(estimate_extraction(extractor, opened, augmentations))
    if why_no_local is None:
        left_out = 0 if "test" in opened else min(len(opened["train"]), NULL_ROWS)
        arguments.announce(estimate_local(opened, left_out=left_out))
    _announce_detectable(arguments, opened)
    # Spaces without a network come first: they refuse images of several sizes before a network
    # has worked for hours.
    order = sorted(
        range(len(extractors)),
        key=lambda place: _has_network(extractors[place]),
    )
    loaded: dict[int, FeatureSets] = {}
    for place in order:
        with arguments.timed("features"):
            sets = load_feature_sets(
                opened, stack=stack, backbone=extractors[place], options=arguments.options
            )
            loaded[place] = on_gpu(sets, arguments.options.device)
            arrays = {role: rows.array for role, rows in loaded[place].by_role.items()}
            counts = row_counts(as_feature_sets(**arrays))
        why = "an audit compares with several images."
        check_at_least(counts["train"], MIN_TRAIN, role="train", why=why)
    return [loaded[place] for place in range(len(extractors))]


def _classes(train: ImageSource | StoredSet) -> list[str | None]:
    return train.classes if isinstance(train, StoredSet) else read_classes(train)


def _announce_detectable(arguments: Arguments, opened: Mapping[str, Any]) -> None:
    """How few copies could be found at all; sets whose size is not known yet say nothing."""
    counts = {
        role: len(opened[role]) for role in arguments.sources if hasattr(opened[role], "__len__")
    }
    honest = counts.get("test") if "test" in arguments.sources else counts.get("train")
    if honest and counts.get("generated"):
        honest = honest if "test" in arguments.sources else min(honest, NULL_ROWS)
        arguments.announce(
            announce_detectable(images=counts["generated"], honest=honest, level=arguments.level)
        )


def _plant(arguments: Arguments, opened: Mapping[str, ImageSource]) -> ImageSource:
    """Disguised copies of training images, some of them combined with held-out images."""
    with arguments.timed("power"):
        planted = plant_copies(
            opened["train"],
            opened.get("test", opened["train"]),
            images=sum(map(len, opened.values())),
            one_size=any(entry.preprocessing == Identity() for entry in arguments.backbones),
            seed=arguments.seed,
        )
        return open_images(planted)


def _has_network(extractor: FeatureExtractor | None) -> bool:
    return extractor is not None and not is_streamed(extractor)
