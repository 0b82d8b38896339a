"""The audit in sentences and small tables: what was found, compared with what, how certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.results import Audit, CopiedImage, Duplicates, SpaceResult, copies_by_class
from genmem.auditing.verdict_evidence import judge
from genmem.formatting import count, join_words, number, percent, printable, share
from genmem.images.augmentations import Augmentation
from genmem.report.audit.images import PAIRS
from genmem.report.common.tables import Table
from genmem.report.common.verdict import Banner, render_verdict
from genmem.results import Result

CLASSES = 60
"""Classes in the table; the others are summed up in one row."""

METRICS = {"absolute_cosine": "absolute cosine distance", "euclidean": "Euclidean distance"}


def verdict(audit: Audit) -> Banner:
    """The verdict of an audit with its style and heading."""
    return render_verdict(audit.verdict or judge(audit))


def is_accusing(audit: Audit) -> bool:
    """Whether flagged images count as copies: not without a yardstick."""
    return (audit.verdict or judge(audit)).label != "no-yardstick"


def details(audit: Audit, copied_images: Sequence[CopiedImage]) -> list[str]:
    """What follows the verdict: the estimated share of copies, and the expected errors."""
    sentences = list(verdict(audit).reasons)
    if not is_accusing(audit):
        return sentences
    sentences.append(fraction_sentence(audit.copied_fraction))
    if flagged := int(audit.flagged.sum()):
        false = round(audit.level * flagged)
        mistakes = f"about {false:,} at most" if false else "less than one"
        sentences.append(
            f"The flagged images repeat {count(len(copied_images), 'training image')}. Of the "
            f"{flagged:,}, {mistakes} should be flagged by mistake."
        )
    return sentences


def fraction_sentence(estimate: Result | None) -> str:
    """The estimated share of copies with its interval."""
    if estimate is None or np.isnan(estimate.value):
        return "The share of copies cannot be estimated from these images."
    about = "about none" if estimate.value <= 0 else f"about {share(estimate.value)}"
    sentence = (
        f"Estimated share of copies: {about} of the generated images are closer to training images "
        "than honest images ever are"
    )
    interval = estimate.interval
    if interval is None:
        return f"{sentence}."
    zero = ", so it may be none" if interval.low <= 0 < estimate.value else ""
    return (
        f"{sentence} ({percent(interval.level)} interval: {share(interval.low)} to "
        f"{share(interval.high)}{zero})."
    )


def null_sentences(audit: Audit) -> list[str]:
    """What the p-values compare with, for readers who have never met one."""
    spaces = audit.spaces
    sentences = [
        "A p-value is the probability that an honest image comes as close to a training image. "
        + _honest_images(audit)
    ]
    if any(space.null.tail for space in spaces):
        sentences.append(
            "Images closer than almost every honest image get their p-value from a power law that "
            "is fitted to the closest honest images, because a count of n images cannot give a "
            "p-value below 1/n. The power law cannot account for honest near-duplicates that are "
            "rarer than that. It therefore flags images only if more of them than chance allows "
            "are closer than every honest image. Look at the pictures before you accuse."
        )
    if len(spaces) > 1:
        names = join_words([printable(space.name) for space in spaces])
        sentences.append(
            f"Images were compared in {len(spaces)} feature spaces, {names}. Each finds copies "
            "that another misses. Their p-values are combined into one. Each distance is shown in "
            "the space with the smallest p-value; distances of different spaces cannot be compared."
        )
    sentences += _augmentation_sentences(audit)
    if any(space.metric == "absolute_cosine" for space in spaces):
        sentences.append(
            "In spaces of features, d₁/d₂ is tested beside the distance. Further comparisons "
            "(d₁/d₂, augmented training images) have a small weight, so that they hardly raise "
            "the p-values of copies that are found without them."
        )
    sentences.append(
        f"An image is flagged if its q-value, the p-value corrected for "
        f"{len(audit.p_values):,} comparisons (Benjamini–Hochberg), is at most "
        f"{number(audit.level)}. On average, no more than {percent(audit.level)} of the flagged "
        "images are then honest. d₁/d₂ is the distance to the nearest training image divided by "
        "that to the second nearest; near 0, one training image stands out."
    )
    return sentences


def _honest_images(audit: Audit) -> str:
    """Which images serve as honest ones, and what that implies."""
    sizes = sorted({len(space.null.statistic) for space in audit.spaces})
    how_many = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    images, groups = audit.spaces[0].null.images, audit.groups
    if images is not None and groups is not None:
        kind = "held-out" if audit.spaces[0].null.source == "test" else "left-out training"
        return (
            f"Honest images are {images:,} {kind} images in {how_many} groups "
            f"({printable(groups.rule)}), compared with training images of other groups. Images of "
            "one group are close to the training images together or not at all, so each group "
            "counts once, by its closest image."
        )
    if all(space.null.source == "test" for space in audit.spaces):
        return (
            f"Honest images are the held-out images here: {how_many} of them were compared with "
            "the training images in the same way."
        )
    return (
        f"No held-out images were given, so {how_many} training images were compared with all "
        "others, each left out in turn. The p-values are valid if training images are no closer to "
        "each other than new images of the same kind are to them: near-duplicates in the training "
        "set make copies harder to find."
    )


def space_table(audit: Audit) -> Table:
    """One row per feature space."""
    return Table(
        caption="The feature spaces, and the honest images in each",
        columns=(
            "Space",
            "Metric",
            "Statistic",
            "Honest images",
            "Duplicates left out",
            "Power law",
            "Share of copies in this space",
        ),
        rows=tuple(
            (
                printable(space.name),
                METRICS.get(space.metric, printable(space.metric)),
                printable(space.statistic_name),
                count(len(space.null.statistic), _unit(space)),
                f"{space.null.dropped:,}" if space.null.dropped else "none",
                _tail(space),
                _short_fraction(space.copied_fraction),
            )
            for space in audit.spaces
        ),
    )


def _unit(space: SpaceResult) -> str:
    """What counts once in the null."""
    kind = "held-out" if space.null.source == "test" else "training"
    return f"{kind} image" if space.null.images is None else f"group of {kind} images"


def class_table(audit: Audit) -> Table | None:
    """Copies by class of the training image, most first; None if no classes were requested."""
    classes = copies_by_class(audit)
    if not classes or not is_accusing(audit):
        return None
    ordered = sorted(classes.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    rows = [
        _class_row(printable(name) or "no class", numbers) for name, numbers in ordered[:CLASSES]
    ]
    if others := ordered[CLASSES:]:
        flagged, images, size = (sum(column) for column in zip(*dict(others).values(), strict=True))
        rows.append(
            _class_row(count(len(others), "more class", "more classes"), (flagged, images, size))
        )
    return Table(
        caption="By class of the training image",
        columns=("Class", "Flagged images", "Copied training images", "Training images", "Share"),
        rows=tuple(rows),
    )


def _class_row(name: str, numbers: tuple[int, int, int]) -> tuple[str, ...]:
    _, images, size = numbers
    return (name, *(f"{value:,}" for value in numbers), share(images / size) if size else "none")


def duplicates_sentence(duplicates: Duplicates) -> str:
    """How many pairs were found, by which rule, and what was done about them."""
    examined, total = duplicates.examined, duplicates.of
    searched = f"{examined:,} of {total:,}" if examined < total else f"{total:,}"
    kind = "held-out" if duplicates.between.startswith("test") else "training"
    pairs, space = len(duplicates.first), printable(duplicates.space)
    if not pairs:
        return f"None among {searched} {kind} images, in {space}."
    shown = f" The nearest {PAIRS:,} are shown." if pairs > PAIRS else ""
    return (
        f"{count(pairs, 'pair')} among {searched} {kind} images: {kinds_of_pairs(duplicates)}. A "
        f"pair is listed when, in {space}, {printable(duplicates.rule)}. "
        f"{_left_out(duplicates, kind)}{shown}"
    )


def kinds_of_pairs(duplicates: Duplicates) -> str:
    """How many pairs are identical, the same picture, or similar; at least one pair."""
    exact, same = int(duplicates.exact.sum()), int(duplicates.same.sum())
    kinds = (
        (exact, "identical to the byte"),
        (same - exact, "nearly the same (edges and texture agree)"),
        (len(duplicates.first) - same, "similar"),
    )
    return join_words([f"{number:,} {words}" for number, words in kinds if number])


def _left_out(duplicates: Duplicates, kind: str) -> str:
    """Which images of the pairs were left out of the audit."""
    pairs, dropped, image = len(duplicates.first), duplicates.dropped, f"{kind} image"
    if not dropped:
        return "It stays in the audit." if pairs == 1 else "They stay in the audit."
    if dropped == pairs:
        images = f"Its {image} was" if pairs == 1 else f"Their {image}s were"
        return f"{images} left out of the audit."
    images = f"{image} of 1 pair" if dropped == 1 else f"{image}s of {dropped:,} pairs"
    return (
        "Only certain duplicates, identical to the byte or nearly the same and within a third of "
        f"the tenth nearest's distance, were left out: the {images}; the others stay in the audit."
    )


def _tail(space: SpaceResult) -> str:
    if not space.null.tail:
        return "none"
    return f"of the closest {space.null.tail:,}, exponent {number(space.null.exponent)}"


def _short_fraction(estimate: Result | None) -> str:
    if estimate is None or np.isnan(estimate.value):
        return "unknown"
    value = share(max(estimate.value, 0.0))
    if estimate.interval is None:
        return value
    return f"{value} ({share(estimate.interval.low)} to {share(estimate.interval.high)})"


def _augmentation_sentences(audit: Audit) -> list[str]:
    """How training images were augmented, and in which space if that differs."""
    by_space = {
        space.name: [audit.augmentations[index] for index in space.compared]
        for space in audit.spaces
    }
    first = by_space[audit.spaces[0].name]
    same = all(augmentations == first for augmentations in by_space.values())
    return [
        f"Training images were compared unchanged and {_augmentation_clause(augmentations)}"
        + ("" if same else f" in {printable(name)}")
        + ", to find altered copies. Each kind of augmentation is tested separately, and the "
        "p-values are combined."
        for name, augmentations in (list(by_space.items())[:1] if same else by_space.items())
        if len(augmentations) > 1
    ]


def _augmentation_clause(augmentations: Sequence[Augmentation]) -> str:
    """The augmentations as a clause; the places of one crop stand in one bracket."""
    places: dict[str, list[str]] = {}
    for augmentation in augmentations:
        phrase, bracket, place = augmentation.phrase.partition(" (")
        if phrase:
            places.setdefault(phrase, []).extend([place[:-1]] if bracket else [])
    return join_words(
        [f"{phrase} ({', '.join(where)})" if where else phrase for phrase, where in places.items()],
        last="or",
    )
