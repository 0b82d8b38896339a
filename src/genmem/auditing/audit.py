"""`genmem.audit`: which generated images are copies, of which training images, how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import check_at_least, check_feature_sets, take_rows
from genmem.auditing.augmentations import Families, augmented, families_named
from genmem.auditing.caveats import notes_on_the_null
from genmem.auditing.cost_estimate import duplicates_sentence, embedding_cost, search_sentence
from genmem.auditing.duplicates import spared_images, train_duplicates
from genmem.auditing.results import Audit, Duplicates, Floats, Ints
from genmem.auditing.search import Queries
from genmem.auditing.significance import (
    Judged,
    SpaceSearch,
    is_streamed,
    judge_space,
    search_space,
    share_of_copies,
)
from genmem.auditing.thumbnails import SourcePictures
from genmem.calibration.null_distribution import (
    combined_p_values,
    counted_q_values,
    fewest_flagged,
    q_values,
)
from genmem.errors import UsageError
from genmem.features import (
    Device,
    FeatureExtractor,
    find_backbone,
    is_feature_source,
    load_backbone,
)
from genmem.images import Augmentation, ImageSource, Progress, open_images
from genmem.provenance import provenance
from genmem.results import Result
from genmem.scoring.feature_sets import ExtractOptions, FeatureSet, FeatureSets, load_feature_sets
from genmem.scoring.score import set_notes

NULL_ROWS = 10_000
"""Training images that are left out in turn where no held-out images are given."""

MOST_NEIGHBORS = 100
"""Listed for each image: memory and the tables' columns grow with it."""

SEVERAL = "an audit compares with several images"
"""Why a training set of two is refused."""


def audit(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbones: Sequence[str] = ("inception", "pixels"),
    augment: Sequence[str] = (),
    neighbors: int = 5,
    level: float = 0.05,
    drop_duplicates: bool = False,
    categories: bool = False,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    skip_broken: bool = False,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Look at every generated image: is it a copy, of which training image, and how sure is that?

    In each feature space an image's distance to the nearest training image (over all forms the
    training images are compared in) is held against the same distance of honest images, which
    gives its p-value (`calibration.null`). The smallest of an image's p-values, over spaces and
    kinds of change, is judged against the smallest of each honest image, which gives one again;
    images are flagged by Benjamini and Hochberg's rule at the false-discovery rate `level`. That
    is the rate at which flagged images are expected to be honest, if the honest images are what
    an honest generator would give.

    Args:
        generated: whatever `genmem.score` takes.
        train: the training set.
        test: held-out images of the same kind; None: training images, each left out in turn,
            stand for honest ones.
        backbones: feature spaces; features ("efficientnet-lite0") miss noise and compression,
            "pixels" miss flips and crops, so name several. Unused where features are given.
        augment: families of transformations that training images are also compared in: "flip",
            "crops"; "pixels:crops" does so in that space alone. Each costs as many more training
            images as it has forms, cheap in pixels and dear in a network's features.
        neighbors: nearest training images to list for each generated image.
        level: false-discovery rate at which images are flagged, in (0, 1).
        drop_duplicates: count near-duplicate training images as one, and leave held-out images
            that nearly repeat a training image out of the null. Flags then ask whether an image is
            closer than held-out images that are no near-duplicates, and where any was left out
            for its distance, the copied fraction has no interval.
        categories: tell the training images' classes (their first-level folder or label).
        seed: of samples.
        weights: the weights file of a single backbone; None: looked for.
        device: "auto", "cpu", "cuda" or "mps".
        skip_broken: leave broken images out, and say so, instead of stopping.
        announce: told what the work will cost, in sentences, before it starts.
        progress: told (stage, done, total or None).

    Returns:
        An `Audit`. It can show the pictures until it is closed: use it as a context manager.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: an argument that does not exist or does not go with the others.
        WeightsError: a backbone's weights are not here and cannot be had.
    """
    started = time.perf_counter()
    given = {"generated": generated, "train": train}
    if test is not None:
        given["test"] = test
    are_features = {role: is_feature_source(source) for role, source in given.items()}
    if isinstance(augment, str):
        raise UsageError(f"augment: expected a list of families, got the text {augment!r}.")
    forms, families = augmented(augment, backbones)
    work = _Work(
        forms=forms,
        families=families,
        neighbors=neighbors,
        drop_duplicates=drop_duplicates,
        seed=seed,
        skip_broken=skip_broken,
        announce=announce or _say_nothing,
        progress=progress,
        seconds={},
    )
    _check_call(work, backbones, level, weights, are_features, asked=categories)
    with ExitStack() as stack:
        opened = {
            role: source if are_features[role] else stack.enter_context(open_images(source))
            for role, source in given.items()
        }
        if categories and not _has_categories(opened["train"]):
            raise UsageError(
                "classes: the training images have none; put each class in a folder of its own, or "
                "leave --classes out."
            )
        extractors = _extractors(backbones, are_features, weights, device, progress)
        for extractor in extractors:
            if extractor is not None:
                work.announce(
                    embedding_cost(extractor, opened, _joined(work.families_in(extractor)))
                )
        searched, repeated = _search(_prepared(opened, extractors, work, stack), work)
        rows = searched[0][0].by_role
        listed = _categories(rows["train"]) if categories else None
        spared = spared_images(*searched[0], dropped=work.drop_duplicates)
        judged = [
            judge_space(
                found,
                inputs,
                source="test" if "test" in rows else "train",
                k=neighbors,
                every=forms,
                spared=spared.rows,
                thinned=spared.thinned,
            )
            for inputs, found in searched
        ]
        spaces = tuple(one.space for one in judged)
        combined, honest, least = _combined(judged)
        fewest = fewest_flagged(least, honest, images=len(combined), level=level)
        q = q_values(combined, honest)
        flagged = q <= level
        by_law = flagged & (counted_q_values(combined, honest) > level)
        work.seconds["total"] = time.perf_counter() - started
        return Audit(
            generated_ids=rows["generated"].ids,
            train_ids=rows["train"].ids,
            categories=listed,
            transformations=work.forms,
            spaces=spaces,
            p_values=combined,
            q_values=q,
            flagged=flagged,
            level=level,
            by_law=by_law,
            least_p=least,
            fewest_flagged=fewest,
            space=np.stack([one.tests.min(axis=0) for one in judged]).argmin(axis=0),
            copied_fraction=_copied_fraction(judged, thinned=spared.thinned),
            duplicates=(repeated, *spared.found),
            inputs={role: one.summary for role, one in rows.items()},
            provenance=provenance(seed=seed),
            seconds=work.seconds,
            notes=(
                *set_notes(rows),
                *notes_on_the_null(
                    spaces,
                    images=len(combined),
                    least_p=least,
                    fewest=fewest,
                    by_law=int(by_law.sum()),
                    thinned=spared.thinned,
                ),
            ),
            pictures=_pictures(rows, stack),
        )


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How the audit is done: what every step is told."""

    forms: tuple[Augmentation, ...]
    families: Mapping[str, Families]
    neighbors: int
    drop_duplicates: bool
    seed: int
    skip_broken: bool
    announce: Callable[[str], None]
    progress: Progress | None
    seconds: dict[str, float]

    def families_in(self, extractor: FeatureExtractor | None) -> Families:
        """The forms of one space by family; features come as they are."""
        return families_named(()) if extractor is None else self.families[extractor.backbone.name]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a stage to `seconds`."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def _joined(families: Families) -> tuple[Augmentation, ...]:
    """All forms of these families."""
    return tuple(one for forms in families.values() for one in forms)


def _say_nothing(sentence: str) -> None:
    """Where nobody wants to know the costs."""


def _check_call(
    work: _Work,
    backbones: Sequence[str],
    level: float,
    weights: str | Path | None,
    are_features: Mapping[str, bool],
    *,
    asked: bool,
) -> None:
    """Refuse what does not go together, before anything is read."""
    if isinstance(backbones, str) or not backbones or len(set(backbones)) < len(backbones):
        raise UsageError("backbones: expected one or several different names, A,B,C.")
    for name in backbones:
        find_backbone(name)
    if weights is not None and len(backbones) > 1:
        raise UsageError("a weights file belongs to one backbone; name only one.")
    if not 0 < level < 1:
        raise UsageError(f"level: expected a rate between 0 and 1, got {level}.")
    if not 1 <= work.neighbors <= MOST_NEIGHBORS:
        raise UsageError(
            f"neighbors: expected at least 1 and at most {MOST_NEIGHBORS}, got {work.neighbors}."
        )
    if not 0 <= work.seed < 2**32:
        raise UsageError(f"seed: expected a whole number from 0 to 2³² − 1, got {work.seed}.")
    mixed = any(are_features.values()) and not all(are_features.values())
    if mixed and len(backbones) > 1:
        raise UsageError(
            "features are one space: name the one backbone that made them, or give images only."
        )
    if are_features["train"] and len(work.forms) > 1:
        raise UsageError("augment: features cannot be flipped or cropped; give images as train.")
    if are_features["train"] and asked:
        raise UsageError("classes: features have none; give images as train.")


def _extractors(
    backbones: Sequence[str],
    are_features: Mapping[str, bool],
    weights: str | Path | None,
    device: Device,
    progress: Progress | None,
) -> list[FeatureExtractor | None]:
    """The opened backbones, one a space; one None where all sets are features already."""
    if all(are_features.values()):
        return [None]
    return [
        load_backbone(name, weights=weights, device=device, progress=progress) for name in backbones
    ]


def _prepared(
    opened: Mapping[str, Any],
    extractors: Sequence[FeatureExtractor | None],
    work: _Work,
    stack: ExitStack,
) -> list[FeatureSets]:
    """Every space's inputs, in the order asked for.

    Spaces without a network are made first: they refuse images of several sizes before a network
    has worked for hours.
    """
    prepared: dict[int, FeatureSets] = {}
    cheap_first = sorted(
        enumerate(extractors), key=lambda one: one[1] is not None and not is_streamed(one[1])
    )
    for place, extractor in cheap_first:
        with work.timed("features"):
            inputs = load_feature_sets(
                opened,
                stack=stack,
                backbone=extractor,
                options=ExtractOptions(skip_broken=work.skip_broken, progress=work.progress),
            )
            counts = check_feature_sets({role: one.array for role, one in inputs.by_role.items()})
        check_at_least(counts["train"], 3, role="train", why=f"{SEVERAL}.")
        prepared[place] = inputs
    return [prepared[place] for place in range(len(extractors))]


def _search(
    prepared: Sequence[FeatureSets], work: _Work
) -> tuple[list[tuple[FeatureSets, SpaceSearch]], Duplicates]:
    """Every space's inputs and searches, and the repetitions inside train."""
    first = prepared[0]
    work.announce(duplicates_sentence(first))
    with work.timed("duplicates in train"):
        repeated = train_duplicates(first, seed=work.seed, dropped=work.drop_duplicates)
    kept = np.arange(int(first.by_role["train"].array.shape[0]))
    if work.drop_duplicates:
        kept = repeated.kept
    check_at_least(len(kept), 3, role="train", why=f"{SEVERAL}, and the others are duplicates.")
    searched: list[tuple[FeatureSets, SpaceSearch]] = []
    for inputs in prepared:
        honest = _honest(inputs, kept, work.seed)
        queries = sum(
            int(array.shape[0]) for array in (inputs.by_role["generated"].array, honest.array)
        )
        families = work.families_in(inputs.extractor)
        references = len(kept) * len(_joined(families))
        work.announce(search_sentence(inputs, queries, references))
        with work.timed(f"search in {inputs.backbone}"):
            search = search_space(
                inputs,
                families=families,
                honest=honest,
                kept=kept,
                k=work.neighbors,
                skip_broken=work.skip_broken,
                progress=work.progress,
            )
        searched.append((inputs, search))
    return searched, repeated.found


def _honest(inputs: FeatureSets, kept: Ints, seed: int) -> Queries:
    """Held-out images, or else a seeded sample of the training images, each left out in turn."""
    if "test" in inputs.by_role:
        return Queries(array=inputs.by_role["test"].array)
    chosen = kept
    if len(kept) > NULL_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(kept, NULL_ROWS, replace=False))
    return Queries(array=take_rows(inputs.by_role["train"].array, chosen), own=chosen)


def _combined(judged: Sequence[Judged]) -> tuple[Floats, Floats, float]:
    """Over all spaces: p-values [n], the honest images' own [m], and that of a perfect copy."""
    if len(judged) == 1:
        return judged[0].space.p_values, judged[0].own, judged[0].least
    honest = np.concatenate([one.honest for one in judged])
    combined, own = combined_p_values(np.concatenate([one.tests for one in judged]), honest)
    least, _ = combined_p_values(np.concatenate([one.perfect for one in judged]), honest)
    return combined, own, float(least[0])


def _copied_fraction(judged: Sequence[Judged], *, thinned: bool) -> Result | None:
    """Over all spaces: of the images' smallest scores against those of honest images."""
    first = judged[0].space.copied_fraction
    if len(judged) == 1 or first is None:
        return first
    return share_of_copies(
        generated=np.concatenate([one.tests for one in judged]).min(axis=0),
        honest=np.concatenate([one.honest for one in judged]).min(axis=0),
        train_rows=first.n["train"],
        thinned=thinned,
    )


def _categories(train: FeatureSet) -> list[str | None]:
    """The training images' classes, in row order."""
    source = train.source
    if source is None:
        raise AssertionError("features were refused")
    return [source.class_name(int(position)) for position in train.positions]


def _has_categories(train: ImageSource) -> bool:
    return any(train.class_name(position) for position in range(len(train)))


def _pictures(rows: dict[str, FeatureSet], stack: ExitStack) -> SourcePictures | None:
    """The pictures, which keep the sources open; None where any of the two sets is features."""
    if rows["generated"].source is None or rows["train"].source is None:
        return None
    return SourcePictures(rows=rows, opened=stack.pop_all())
