"""`genmem.audit`: which generated images are copies, of which training images, how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import as_feature_sets, as_source, check_at_least, row_counts, take_rows
from genmem.auditing.augment_option import (
    AugmentationFamilies,
    build_families,
    parse_families,
)
from genmem.auditing.caveats import caveats
from genmem.auditing.cost_estimate import estimate_duplicates, estimate_extraction, estimate_search
from genmem.auditing.detectable_copies import announce_detectable
from genmem.auditing.duplicates import TrainDuplicates, exclude_duplicates, find_train_duplicates
from genmem.auditing.feature_spaces import (
    PLANTED,
    SpaceSearch,
    distance_metric,
    find_audit_backbones,
    is_streamed,
    search_space,
)
from genmem.auditing.group_labels import (
    GroupsOption,
    check_group_labels,
    check_groups,
    find_groups,
)
from genmem.auditing.groups import Groups, HonestUnits, honest_units, train_groups
from genmem.auditing.local import LOCAL
from genmem.auditing.local_search import (
    LocalSearch,
    local_test,
    planted_test,
    search_local,
    why_not_local,
)
from genmem.auditing.power import compute_power, plant_copies
from genmem.auditing.power_results import Power
from genmem.auditing.results import Audit, Ints
from genmem.auditing.search import Queries
from genmem.auditing.significance import combined_copied_fraction, compute_significance
from genmem.auditing.space_tests import TestResult, combine_tests, most_significant
from genmem.auditing.thumbnails import SourceThumbnails
from genmem.auditing.verdict_evidence import add_verdict
from genmem.calibration.q_values import counted_q_values, min_copies_flagged, q_values
from genmem.errors import UsageError
from genmem.features import Backbone, BackboneLike, Device, FeatureExtractor, is_feature_source
from genmem.features.preprocessing import Identity
from genmem.images import Augmentation, ImageSource, Progress, open_images, read_classes
from genmem.io.paths import refuse_empty
from genmem.provenance import provenance
from genmem.scoring.feature_sets import (
    ExtractOptions,
    FeatureSet,
    FeatureSets,
    load_feature_sets,
    open_backbones,
    open_set,
)
from genmem.scoring.plan import check_seed
from genmem.scoring.score import set_notes

DEFAULT_BACKBONES = ("efficientnet-lite0", "pixels@64")
"""Spaces that need no download and take images of any size."""

NULL_ROWS = 10_000
"""Training images that are left out in turn where no held-out images are given."""

MAX_NEIGHBORS = 100
"""Listed for each image: memory and the tables' columns grow with it."""

MIN_TRAIN = 3
"""Training images: each is compared with several others."""


def audit(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbones: Sequence[BackboneLike] = DEFAULT_BACKBONES,
    augment: Sequence[str] = (),
    neighbors: int = 5,
    level: float = 0.05,
    local: bool | None = None,
    drop_duplicates: bool = False,
    groups: GroupsOption | None = None,
    power: bool = False,
    classes: bool = False,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Find the generated images that are copies, and the training images they copy.

    In each feature space an image's distance to the nearest training image (over all augmentations
    of the training images) is compared with the same distance of honest images, which gives its
    p-value (`calibration.null_distribution`). The smallest of an image's p-values, over spaces and
    families of augmentations, is compared with the smallest of each honest image, which gives one
    p-value; images are flagged by Benjamini and Hochberg's rule at the false-discovery rate
    `level`. That is the expected share of honest images among the flagged ones, if the honest
    images are what an honest generator would produce.

    Args:
        generated: whatever `genmem.score` takes.
        train: the training set.
        test: held-out images of the same kind; None for training images, each left out in turn.
        backbones: feature spaces; features ("efficientnet-lite0") miss noise and compression,
            pixels miss flips and crops, so name several. Each as in `genmem.score`, except that
            "pixels" is `pixels@64`: images are stretched to one size, in pixels a side. Unused
            where features are given.
        augment: families of augmentations of the training images to compare with too: "flip",
            "crops"; "pixels@64:crops" for that space alone. Each multiplies the number of training
            images by its augmentations, cheap in pixels and expensive in a network's features.
        neighbors: number of nearest training images to list for each generated image.
        level: false-discovery rate at which images are flagged, in (0, 1).
        local: also look for regions that an image shares with a training image, such as crops,
            collages and cut-outs show (`auditing.local`), as a test of its own. None: where images
            are given, of 64 pixels or more, and the extra `local` is installed.
        drop_duplicates: count near-duplicate training images as one, and leave held-out images
            that nearly repeat a training image out of the null. Flags then ask whether an image is
            closer than held-out images that are no near-duplicates, and where any was left out
            for its distance, the copied fraction has no interval.
        groups: images that belong together (bursts, scenes, products, patients), each group of
            which then counts once in the null: the number of the first folders of an image's path;
            a CSV file with the columns id and group (and set, where sets share ids);
            "near-duplicates", for clusters of the held-out images; or labels by role, one a row.
            Images without a group stand for themselves. Held-out images of groups that are in
            train too are left out.
        power: plant disguised copies of training images, test them like the generated images, and
            report what would have been flagged (`Audit.power`). Needs images, not features.
        classes: report the training images' classes (their folders or labels).
        seed: seed of samples.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        announce: called with sentences on the expected cost, before the work starts.
        progress: called with (stage, done, total or None).

    Returns:
        An `Audit`. It can show the images until it is closed: use it as a context manager.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: an argument is unknown or does not go with the others.
        WeightsError: a backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> rng = np.random.default_rng(0)
        >>> train, test = rng.normal(size=(2, 200, 16))
        >>> generated = np.concatenate([train[:10], rng.normal(size=(90, 16))])
        >>> with genmem.audit(generated=generated, train=train, test=test) as result:
        ...     print(result.flagged.nonzero()[0])
        [0 1 2 3 4 5 6 7 8 9]
    """
    sources = {"generated": generated, "train": train}
    if test is not None:
        sources["test"] = test
    sources = {role: as_source(source, role=role) for role, source in sources.items()}
    entries = find_audit_backbones(backbones, weights=weights)
    augmentations, families = parse_families(augment, [entry.name for entry in entries])
    run = _Run(
        sources=sources,
        are_features={role: is_feature_source(source) for role, source in sources.items()},
        backbones=entries,
        augmentations=augmentations,
        families=families,
        neighbors=neighbors,
        level=level,
        local=local,
        drop_duplicates=drop_duplicates,
        groups=groups,
        power=power,
        classes=classes,
        seed=seed,
        options=ExtractOptions(
            weights=weights, device=device, skip_broken=skip_broken, progress=progress
        ),
        announce=announce or (lambda sentence: None),
    )
    run.check()
    return run.audit()


@dataclass(frozen=True, kw_only=True)
class _Run:
    """The arguments of an audit, and its steps."""

    sources: Mapping[str, Any]
    are_features: Mapping[str, bool]
    backbones: Sequence[Backbone]
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

    def check(self) -> None:
        """Refuse arguments that do not go together, before anything is read."""
        if not 0 < self.level < 1:
            raise UsageError(f"level: expected a rate between 0 and 1, got {self.level}.")
        if not 1 <= self.neighbors <= MAX_NEIGHBORS:
            raise UsageError(
                f"neighbors: expected at least 1 and at most {MAX_NEIGHBORS}, got {self.neighbors}."
            )
        check_seed(self.seed)
        if self.local is not False and any(entry.name == LOCAL for entry in self.backbones):
            raise UsageError(
                f"backbones: {LOCAL!r} is the name of local evidence; name the network otherwise, "
                "or leave local evidence out with --no-local (local=False)."
            )
        check_groups(self.groups)
        mixed = any(self.are_features.values()) and not all(self.are_features.values())
        if mixed and len(self.backbones) > 1:
            raise UsageError(
                "features are one space: name only the backbone that made them, or give images."
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

    def audit(self) -> Audit:
        started = time.perf_counter()
        with ExitStack() as stack:
            spaces = self._load(stack)
            duplicates = self._find_duplicates(spaces[0])
            groups = self._find_groups(spaces[0])
            searches = [self._search(sets, duplicates.unique_rows, groups) for sets in spaces]
            class_names = _class_names(spaces[0].by_role["train"]) if self.classes else None
            local = self._search_local(spaces[0], searches, duplicates, groups)
            result = self._compute(spaces, searches, local, duplicates, groups, class_names, stack)
            with self.timed("yardstick"):
                result = add_verdict(result, spaces, searches, seed=self.seed)
        self.seconds["total"] = time.perf_counter() - started
        return result

    def _load(self, stack: ExitStack) -> list[FeatureSets]:
        """The sets in every space, in the given order."""
        for role, source in self.sources.items():
            refuse_empty(source, name=role)
        opened = {
            role: source if self.are_features[role] else stack.enter_context(open_set(source, role))
            for role, source in self.sources.items()
        }
        if self.classes and not any(read_classes(opened["train"])):
            raise UsageError(
                "classes: the training images have none: all lie in one folder or have one label. "
                "Put each class in a folder of its own, or leave out --classes."
            )
        check_group_labels(self.groups, opened)
        if self.local:
            why_not_local(self.local, opened)
        if self.power:
            opened[PLANTED] = stack.enter_context(self._plant(opened))
        extractors = open_backbones(self.backbones, list(opened.values()), self.options)
        for extractor in extractors:
            if extractor is not None:
                augmentations = _flatten(self._families(extractor))
                self.announce(estimate_extraction(extractor, opened, augmentations))
        self._announce_detectable(opened)
        # Spaces without a network come first: they refuse images of several sizes before a network
        # has worked for hours.
        order = sorted(
            range(len(extractors)),
            key=lambda place: _has_network(extractors[place]),
        )
        loaded: dict[int, FeatureSets] = {}
        for place in order:
            with self.timed("features"):
                loaded[place] = load_feature_sets(
                    opened, stack=stack, backbone=extractors[place], options=self.options
                )
                arrays = {role: rows.array for role, rows in loaded[place].by_role.items()}
                counts = row_counts(as_feature_sets(**arrays))
            why = "an audit compares with several images."
            check_at_least(counts["train"], MIN_TRAIN, role="train", why=why)
        return [loaded[place] for place in range(len(extractors))]

    def _announce_detectable(self, opened: Mapping[str, Any]) -> None:
        """How few copies could be found at all; sets whose size is not known yet say nothing."""
        counts = {
            role: len(opened[role]) for role in self.sources if hasattr(opened[role], "__len__")
        }
        honest = counts.get("test") if "test" in self.sources else counts.get("train")
        if honest and counts.get("generated"):
            honest = honest if "test" in self.sources else min(honest, NULL_ROWS)
            self.announce(
                announce_detectable(images=counts["generated"], honest=honest, level=self.level)
            )

    def _plant(self, opened: Mapping[str, ImageSource]) -> ImageSource:
        """Disguised copies of training images, some of them combined with held-out images."""
        with self.timed("power"):
            planted = plant_copies(
                opened["train"],
                opened.get("test", opened["train"]),
                images=sum(map(len, opened.values())),
                one_size=any(entry.preprocessing == Identity() for entry in self.backbones),
                seed=self.seed,
            )
            return open_images(planted)

    def _families(self, extractor: FeatureExtractor | None) -> AugmentationFamilies:
        """The families of one space; features cannot be augmented."""
        return build_families(()) if extractor is None else self.families[extractor.backbone.name]

    def _find_duplicates(self, sets: FeatureSets) -> TrainDuplicates:
        """Repetitions inside train, and the training rows to compare with."""
        self.announce(estimate_duplicates(sets))
        with self.timed("duplicates in train"):
            duplicates = find_train_duplicates(sets, seed=self.seed, drop=self.drop_duplicates)
        if not self.drop_duplicates:
            every_row = np.arange(int(sets.by_role["train"].array.shape[0]))
            return TrainDuplicates(pairs=duplicates.pairs, unique_rows=every_row)
        why = "an audit compares with several images, and the others are duplicates."
        check_at_least(len(duplicates.unique_rows), MIN_TRAIN, role="train", why=why)
        return duplicates

    def _find_groups(self, sets: FeatureSets) -> Groups | None:
        """The images' groups, where they count."""
        if self.groups is None:
            return None
        with self.timed("groups"):
            return find_groups(self.groups, sets.by_role, metric=distance_metric(sets.backbone))

    def _search(self, sets: FeatureSets, train_rows: Ints, groups: Groups | None) -> SpaceSearch:
        honest = _honest_queries(sets, train_rows, groups, self.seed)
        queries = int(sets.by_role["generated"].array.shape[0]) + int(honest.array.shape[0])
        families = self._families(sets.extractor)
        self.announce(estimate_search(sets, queries, len(train_rows) * len(_flatten(families))))
        with self.timed(f"search in {sets.backbone}"):
            return search_space(
                sets,
                families=families,
                honest=honest,
                train_rows=train_rows,
                k=self.neighbors,
                options=self.options,
            )

    def _search_local(
        self,
        sets: FeatureSets,
        searches: Sequence[SpaceSearch],
        duplicates: TrainDuplicates,
        groups: Groups | None,
    ) -> LocalSearch:
        with self.timed("local evidence"):
            return search_local(
                self.local,
                sets.by_role,
                searches,
                train_rows=duplicates.unique_rows,
                duplicates=duplicates.pairs,
                groups=groups,
                seed=self.seed,
                options=self.options,
                announce=self.announce,
            )

    def _compute(
        self,
        spaces: Sequence[FeatureSets],
        searches: Sequence[SpaceSearch],
        local: LocalSearch,
        duplicates: TrainDuplicates,
        groups: Groups | None,
        class_names: list[str | None] | None,
        stack: ExitStack,
    ) -> Audit:
        """P-values, flags and everything else that follows from the searches."""
        by_role = spaces[0].by_role
        excluded = exclude_duplicates(spaces[0], searches[0], drop=self.drop_duplicates)
        honest = honest_units(
            duplicates=excluded.rows,
            biased=excluded.biased,
            groups=groups,
            train_rows=searches[0].honest_rows,
        )
        pairs = [
            compute_significance(
                search, sets, k=self.neighbors, augmentations=self.augmentations, honest=honest
            )
            for sets, search in zip(spaces, searches, strict=True)
        ]
        if local.evidence is not None:
            train_rows = int(by_role["train"].array.shape[0])
            pairs.append(local_test(local.evidence, train_rows=train_rows, honest=honest))
        results = tuple(result for result, _ in pairs)
        test = combine_tests([result for _, result in pairs])
        own, images = test.honest_p_values, len(test.p_values)
        min_copies = min_copies_flagged(
            test.min_p_value,
            own,
            images=images,
            level=self.level,
            groups=groups and groups.count("generated"),
        )
        q = q_values(test.p_values, own, groups=honest.generated_groups)
        power = self._power(spaces, searches, local, honest, test, min_copies)
        by_power_law = (q <= self.level) & (counted_q_values(test.p_values, own) > self.level)
        notes = caveats(
            results,
            images=images,
            min_p_value=test.min_p_value,
            min_copies=min_copies,
            by_power_law=int(by_power_law.sum()),
            biased=excluded.biased,
            groups=groups,
        )
        return Audit(
            generated_ids=by_role["generated"].ids,
            train_ids=by_role["train"].ids,
            classes=class_names,
            augmentations=self.augmentations,
            spaces=results,
            p_values=test.p_values,
            q_values=q,
            flagged=q <= self.level,
            level=self.level,
            by_power_law=by_power_law,
            min_p_value=test.min_p_value,
            min_copies_flagged=min_copies,
            space=most_significant([result for _, result in pairs]),
            copied_fraction=combined_copied_fraction(
                results, searches, [result for _, result in pairs[len(searches) :]], honest
            ),
            duplicates=(duplicates.pairs, *excluded.duplicates),
            groups=groups,
            power=power,
            inputs={role: by_role[role].summary for role in self.sources},
            provenance=provenance(seed=self.seed),
            seconds=self.seconds,
            local=local.evidence,
            notes=(
                *set_notes(by_role),
                *(note for sets in spaces for note in sets.notes()),
                *local.notes,
                *notes,
                *(power.caveats() if power else ()),
            ),
            thumbnails=_thumbnails(by_role, stack),
        )

    def _power(
        self,
        spaces: Sequence[FeatureSets],
        searches: Sequence[SpaceSearch],
        local: LocalSearch,
        honest: HonestUnits,
        test: TestResult,
        min_copies: int | None,
    ) -> Power | None:
        """What would have been flagged of planted copies, by the tests of the generated images."""
        if not self.power:
            return None
        with self.timed("power"):
            results = [
                compute_significance(
                    search.of_planted(),
                    sets,
                    k=self.neighbors,
                    augmentations=self.augmentations,
                    honest=honest,
                )[1]
                for sets, search in zip(spaces, searches, strict=True)
            ]
            if local.evidence is not None:
                train_rows = int(spaces[0].by_role["train"].array.shape[0])
                results.append(planted_test(local.evidence, train_rows=train_rows, honest=honest))
            return compute_power(
                combine_tests(results).p_values,
                p_values=test.p_values,
                honest=test.honest_p_values,
                groups=honest.generated_groups,
                min_copies=min_copies,
                level=self.level,
                seed=self.seed,
            )


def _has_network(extractor: FeatureExtractor | None) -> bool:
    return extractor is not None and not is_streamed(extractor)


def _flatten(families: AugmentationFamilies) -> tuple[Augmentation, ...]:
    return tuple(
        augmentation for augmentations in families.values() for augmentation in augmentations
    )


def _honest_queries(
    sets: FeatureSets, train_rows: Ints, groups: Groups | None, seed: int
) -> Queries:
    """Held-out images, or else a seeded sample of the training images, each left out in turn."""
    if "test" in sets.by_role:
        return Queries(array=sets.by_role["test"].array)
    chosen = train_rows
    if len(train_rows) > NULL_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(train_rows, NULL_ROWS, replace=False))
    return Queries(
        array=take_rows(sets.by_role["train"].array, chosen),
        train_rows=chosen,
        train_groups=None if groups is None else train_groups(groups, train_rows),
    )


def _class_names(train: FeatureSet) -> list[str | None]:
    """The training images' classes, in row order."""
    if train.source is None:
        raise AssertionError("features have no classes")
    names = read_classes(train.source)
    return [names[position] for position in train.positions.tolist()]


def _thumbnails(by_role: dict[str, FeatureSet], stack: ExitStack) -> SourceThumbnails | None:
    """Thumbnails, which keep the sources open; None where one of the two sets is features."""
    if by_role["generated"].source is None or by_role["train"].source is None:
        return None
    return SourceThumbnails(by_role=by_role, open_files=stack.pop_all())
