"""`genmem.audit`: which generated images are copies, of which training images, how sure that is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import check_at_least, check_sets, take_rows
from genmem.auditing.costs import duration, embedding_cost, search_cost
from genmem.auditing.duplicates import MOST_QUERIES, test_duplicates, train_duplicates
from genmem.auditing.findings import Audit, Bools, Duplicates, Floats, Ints, Space
from genmem.auditing.forms import AS_THEY_ARE, Families, augmented, families_named
from genmem.auditing.pictures import SourcePictures
from genmem.auditing.search import Queries
from genmem.auditing.spaces import Judged, SpaceSearch, judge_space, search_space
from genmem.calibration.null import combined_p_values, q_values
from genmem.errors import UsageError
from genmem.features import Device, Embedder, find_backbone, is_feature_source, load_backbone
from genmem.images import ImageSource, Progress, Transformation, open_images
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.results import Result
from genmem.scoring.inputs import Inputs, Rows, prepare
from genmem.scoring.provenance import provenance
from genmem.scoring.score import set_notes

NULL_ROWS = 10_000
"""Training images that are left out in turn where no held-out images are given."""

MOST_NEIGHBORS = 100
"""Listed for each image: memory and the tables' columns grow with it."""

FEWEST_HONEST = 100
"""Honest images below which p-values are too coarse to flag anything among many images."""


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
            that nearly repeat a training image out of the null.
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
        embedders = _embedders(backbones, are_features, weights, device, progress)
        for embedder in embedders:
            if embedder is not None:
                work.announce(embedding_cost(embedder, opened, _joined(work.families_in(embedder))))
        searched, repeated = _search(opened, embedders, work, stack)
        rows = searched[0][0].rows
        listed = _categories(rows["train"]) if categories else None
        doubled, spared = _honest_duplicates(searched[0], work)
        judged = [
            judge_space(
                found,
                inputs,
                source="test" if "test" in rows else "train",
                k=neighbors,
                every=forms,
                spared=spared,
            )
            for inputs, found in searched
        ]
        spaces = tuple(one.space for one in judged)
        combined, honest = combined_p_values(
            np.concatenate([one.tests for one in judged]),
            np.concatenate([one.honest for one in judged]),
        )
        q = q_values(combined)
        work.seconds["total"] = time.perf_counter() - started
        return Audit(
            generated_ids=rows["generated"].ids,
            train_ids=rows["train"].ids,
            categories=listed,
            transformations=work.forms,
            spaces=spaces,
            p_values=combined,
            q_values=q,
            flagged=q <= level,
            level=level,
            space=np.stack([one.tests.min(axis=0) for one in judged]).argmin(axis=0),
            copied_fraction=_copied_fraction(judged, combined, honest),
            duplicates=(repeated, *doubled),
            inputs={role: one.summary for role, one in rows.items()},
            provenance=provenance(seed=seed),
            seconds=work.seconds,
            notes=(*set_notes(rows), *_notes(spaces[0], len(combined), level)),
            pictures=_pictures(rows, stack),
        )


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How the audit is done: what every step is told."""

    forms: tuple[Transformation, ...]
    families: Mapping[str, Families]
    neighbors: int
    drop_duplicates: bool
    seed: int
    skip_broken: bool
    announce: Callable[[str], None]
    progress: Progress | None
    seconds: dict[str, float]

    def families_in(self, embedder: Embedder | None) -> Families:
        """The forms of one space by family; features come as they are."""
        return families_named(()) if embedder is None else self.families[embedder.backbone.name]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a stage to `seconds`."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def _joined(families: Families) -> tuple[Transformation, ...]:
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


def _embedders(
    backbones: Sequence[str],
    are_features: Mapping[str, bool],
    weights: str | Path | None,
    device: Device,
    progress: Progress | None,
) -> list[Embedder | None]:
    """The opened backbones, one a space; one None where all sets are features already."""
    if all(are_features.values()):
        return [None]
    return [
        load_backbone(name, weights=weights, device=device, progress=progress) for name in backbones
    ]


def _search(
    opened: Mapping[str, Any],
    embedders: Sequence[Embedder | None],
    work: _Work,
    stack: ExitStack,
) -> tuple[list[tuple[Inputs, SpaceSearch]], Duplicates]:
    """Every space's inputs and searches, and the repetitions inside train."""
    searched: list[tuple[Inputs, SpaceSearch]] = []
    repeated: Duplicates | None = None
    kept = np.empty(0, dtype=np.int64)
    for embedder in embedders:
        with work.timed("features"):
            inputs = prepare(
                dict(opened),
                stack=stack,
                backbone=embedder or "features",
                skip_broken=work.skip_broken,
                progress=work.progress,
            )
            counts = check_sets({role: one.array for role, one in inputs.rows.items()})
        if repeated is None:
            why = "an audit compares with several images"
            check_at_least(counts["train"], 3, role="train", why=f"{why}.")
            work.announce(_duplicates_sentence(inputs))
            with work.timed("duplicates in train"):
                found = train_duplicates(inputs, seed=work.seed, dropped=work.drop_duplicates)
            repeated = found.found
            kept = found.kept if work.drop_duplicates else np.arange(counts["train"])
            check_at_least(len(kept), 3, role="train", why=f"{why}, and the others are duplicates.")
        honest = _honest(inputs, kept, work.seed)
        queries = counts["generated"] + int(honest.array.shape[0])
        families = work.families_in(embedder)
        references = len(kept) * len(_joined(families))
        work.announce(_search_sentence(inputs, queries, references))
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
    if repeated is None:
        raise AssertionError("there is at least one space")
    return searched, repeated


def _honest(inputs: Inputs, kept: Ints, seed: int) -> Queries:
    """Held-out images, or else a seeded sample of the training images, each left out in turn."""
    if "test" in inputs.rows:
        return Queries(array=inputs.rows["test"].array)
    chosen = kept
    if len(kept) > NULL_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(kept, NULL_ROWS, replace=False))
    return Queries(array=take_rows(inputs.rows["train"].array, chosen), own=chosen)


def _duplicates_sentence(inputs: Inputs) -> str:
    """What comparing the training images with each other costs."""
    count, dimension = (int(length) for length in inputs.rows["train"].array.shape)
    asked = min(count, MOST_QUERIES)
    spent = duration(search_cost(asked * count, dimension))
    return (
        f"{inputs.backbone}: comparing {asked:,} training images with all {count:,} for "
        f"duplicates, about {spent}"
    )


def _search_sentence(inputs: Inputs, queries: int, references: int) -> str:
    dimension = int(inputs.rows["train"].array.shape[1])
    spent = search_cost(queries * references, dimension)
    return (
        f"{inputs.backbone}: comparing {queries:,} images with {references:,} training rows, about "
        f"{duration(spent)}"
    )


def _honest_duplicates(
    first: tuple[Inputs, SpaceSearch], work: _Work
) -> tuple[list[Duplicates], Bools]:
    """Held-out images that repeat training images; and which honest images the null leaves out.

    Raises:
        InputError: none would be left.
    """
    inputs, found = first
    matches = found.honest[AS_THEY_ARE]
    spared = np.zeros(len(matches.distances), dtype=bool)
    if "test" not in inputs.rows:
        return [], spared
    again, doubled = test_duplicates(inputs, matches, dropped=work.drop_duplicates)
    if work.drop_duplicates:
        spared = doubled
    why = "all held-out images nearly repeat training images, so none is left to compare with."
    check_at_least(int((~spared).sum()), 1, role="test", why=why)
    return [again], spared


def _copied_fraction(judged: Sequence[Judged], combined: Floats, honest: Floats) -> Result | None:
    """Over all spaces: of the images' combined p-values against those of honest images."""
    first = judged[0].space.copied_fraction
    if len(judged) == 1 or first is None:
        return first
    return copied_fraction_from(generated=combined, test=honest, train_rows=first.n["train"])


def _categories(train: Rows) -> list[str | None]:
    """The training images' classes, in row order."""
    source = train.source
    if source is None:
        raise AssertionError("features were refused")
    return [source.category(int(position)) for position in train.positions]


def _has_categories(train: ImageSource) -> bool:
    return any(train.category(position) for position in range(len(train)))


def _notes(space: Space, images: int, level: float) -> list[str]:
    """What a reader of the p-values must know of the null."""
    null = space.null
    count = len(null.statistic)
    notes = []
    if null.source == "train":
        notes.append(
            "no held-out images were given (--test): training images, each left out in turn, stand "
            "for honest ones. The p-values then say how unusual an image would be among the "
            "training images themselves; where those repeat one another or come in series, copies "
            "look less unusual than they are."
        )
    if count < FEWEST_HONEST:
        least = 1 / (count + 1)
        needed = math.ceil(least * images / level)
        flags = (
            "none can be flagged"
            if needed > images
            else f"none is flagged unless {needed:,} images come as close"
        )
        notes.append(
            f"only {count:,} honest images: a p-value cannot be below {least:.2g}, and {flags}. "
            f"Look at the closest images; give {FEWEST_HONEST} or more."
        )
    if null.source == "test" and float(np.median(null.statistic)) == 0:
        notes.append(
            "most held-out images are training images too, so they are no yardstick: nothing can "
            "be flagged. Give images that were not trained on."
        )
    elif repeats := int((null.statistic == 0).sum()):
        notes.append(
            f"{repeats:,} honest images are exact copies of training images, so a p-value cannot "
            f"be below {(1 + repeats) / (count + 1):.2g}; --drop-duplicates leaves them out."
        )
    if null.dropped:
        notes.append(
            f"{null.dropped:,} held-out images nearly repeat training images and were left out of "
            "the null."
        )
    return notes


def _pictures(rows: dict[str, Rows], stack: ExitStack) -> SourcePictures | None:
    """The pictures, which keep the sources open; None where any of the two sets is features."""
    if rows["generated"].source is None or rows["train"].source is None:
        return None
    return SourcePictures(rows=rows, opened=stack.pop_all())
