"""The audit in sentences and small tables: what was found, compared with what, how certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.results import Audit, CopiedImage, copies_by_class
from genmem.auditing.space_results import Duplicates, SpaceResult
from genmem.auditing.verdict_evidence import judge
from genmem.formatting import count, join_words, number, percent, printable, share, share_range
from genmem.images.augmentations import Augmentation
from genmem.report.audit.images import PAIRS
from genmem.report.common.tables import Table
from genmem.report.common.verdict import (
    Banner,
    render_verdict,
    share_sentence,
    without_p_values,
)
from genmem.results import Result, Verdict

CLASSES = 60
"""Classes in the table; the others are summed up in one row."""

METRICS = {"absolute_cosine": "absolute cosine distance", "euclidean": "Euclidean distance"}


def judged(audit: Audit) -> Verdict:
    """The verdict of an audit, from its numbers alone where none is stored."""
    return audit.verdict or judge(audit)


def verdict(audit: Audit) -> Banner:
    """The verdict of an audit with its style and heading."""
    return render_verdict(judged(audit))


def is_comparable(audit: Audit) -> bool:
    """Whether honest images say how close is too close, so that p, q and flags count."""
    return (judged(audit)).comparable


def why_incomparable(audit: Audit) -> str:
    """Why there are no p- and q-values, in a sentence; empty where there are."""
    fails = audit.yardstick is not None and not audit.yardstick.holds
    return without_p_values(judged(audit), yardstick=fails)


def details(audit: Audit, copied_images: Sequence[CopiedImage]) -> list[str]:
    """What follows the verdict: its reasons, the share of copies, and the expected errors."""
    sentences = [*verdict(audit).reasons, estimated_share(audit)]
    flagged = int(audit.flagged.sum())
    if flagged and is_comparable(audit):
        sentences.append(_repeated(audit, flagged, len(copied_images)))
    return [sentence for sentence in sentences if sentence]


def _repeated(audit: Audit, flagged: int, copied: int) -> str:
    """How many training images the flagged ones repeat, and how many flags are mistakes."""
    repeat = "image repeats" if flagged == 1 else "images repeat"
    false = round(audit.level * flagged)
    mistakes = f"about {false:,} at most" if false else "less than one"
    of_these = (
        f"Of the {flagged:,}, {mistakes} should be flagged by mistake on average; a single audit "
        "can have more."
    )
    return (
        f"The flagged {repeat} {count(copied, 'training image')}. {of_these if flagged > 1 else ''}"
    ).strip()


def estimated_share(audit: Audit) -> str:
    """The share of copies; empty where the data cannot tell, or the verdict says it."""
    estimate = audit.copied_fraction
    if estimate is None:
        return share_sentence(judged(audit), np.nan, None)
    return share_sentence(judged(audit), estimate.value, estimate.interval)


def notes(audit: Audit) -> list[str]:
    """What must be known of the sets, the flags and the copied fraction."""
    estimate = audit.copied_fraction
    return [*audit.notes, *(estimate.notes if estimate is not None else ())]


def null_sentences(audit: Audit) -> list[str]:
    """What the p-values compare with, for readers who have never met one."""
    if why := why_incomparable(audit):
        return [why]
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
    tells_share = (judged(audit)).tells_share
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
                _short_fraction(space.copied_fraction if tells_share else None),
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
    if not classes or not is_comparable(audit):
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
    shown = f" The nearest {PAIRS:,} are shown; duplicates.csv lists all." if pairs > PAIRS else ""
    return (
        f"{count(pairs, 'pair')} among {searched} {kind} images: {kinds_of_pairs(duplicates)}. A "
        f"pair is listed when, in {space}, {printable(duplicates.rule)}. "
        f"{_left_out(duplicates, kind)}{shown}"
    )


def sets_of(duplicates: Duplicates) -> str:
    """The sets that the pairs are of: `training images`, `held-out and training images`."""
    first = "held-out and " if duplicates.between.startswith("test") else ""
    return f"{first}training images"


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
        return "cannot be told"
    value = share(max(estimate.value, 0.0))
    if estimate.interval is None:
        return value
    return f"{value} ({share_range(estimate.interval.low, estimate.interval.high)})"


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
