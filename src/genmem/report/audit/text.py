"""The audit in sentences and small tables: what was found, compared with what, how sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.caveats import what_is_flagged
from genmem.auditing.results import Audit, CopiedImage, Duplicates, Space, copied_by_class
from genmem.formatting import count, number, printable, share
from genmem.images.augmentations import Augmentation
from genmem.report.audit.images import PAIRS
from genmem.report.competition.tables import Grid
from genmem.report.score.verdict import Verdict
from genmem.results import Result

CLASSES = 60
"""Classes in the table; the rest is counted."""

UNSEEN = 0.01
"""A share of copies that may go unseen before nothing is said to be clear."""

METRICS = {"absolute_cosine": "absolute cosine distance", "euclidean": "Euclidean distance"}


def headline(audit: Audit) -> Verdict:
    """How many images are flagged, as the page's first sentence."""
    flagged, total = int(audit.flagged.sum()), len(audit.p_values)
    rate = f"at a false-discovery rate of {percent(audit.level)}"
    images = "generated image" if total == 1 else "generated images"
    if flagged:
        sentence = (
            f"{flagged:,} of {total:,} {images} {'is' if flagged == 1 else 'are'} flagged as "
            f"{'a copy' if flagged == 1 else 'copies'} {rate}."
        )
    elif total == 1:
        sentence = f"The one generated image is not flagged as a copy {rate}."
    else:
        sentence = f"None of the {total:,} generated images is flagged as a copy {rate}."
    if _same(audit):
        return Verdict(
            level="open",
            word="Same images",
            sentence=f"{sentence} The generated and the training images are the same set, so this "
            "says nothing about a generator.",
        )
    if flagged:
        return Verdict(level="copying", word="Copies found", sentence=sentence)
    interval = audit.copied_fraction.interval if audit.copied_fraction else None
    if interval and interval.low > 0:
        sentence = (
            f"{sentence} Yet more of them lie close to training images than chance allows: look at "
            "the first rows below."
        )
        return Verdict(level="doubt", word="Suspicious", sentence=sentence)
    if why := _no_answer(audit):
        return Verdict(level="open", word="Open", sentence=f"{sentence} {why}")
    return Verdict(
        level="clear", word="No copies found", sentence=f"{sentence}{_too_few_to_see(audit)}"
    )


def _no_answer(audit: Audit) -> str:
    """Why copies could not have been flagged; empty where they could."""
    null = audit.spaces[0].null
    digests = {role: one.digest for role, one in audit.inputs.items()}
    for role, name in (("train", "training"), ("generated", "generated")):
        if "test" in digests and digests["test"] == digests[role]:
            return f"But the held-out images are the {name} images, so this says nothing."
    if float(np.median(null.statistic)) == 0:
        if null.source == "test":
            return "But most held-out images are training images too, so this says nothing."
        return "But most training images are there twice or more, so this says nothing."
    images, fewest = len(audit.p_values), audit.fewest_flagged
    if fewest is None or (fewest > 1 and fewest > UNSEEN * images):
        honest = count(len(null.statistic), "honest image")
        return f"But with {honest} {what_is_flagged(images, fewest)}: look at the first rows below."
    return ""


def _too_few_to_see(audit: Audit) -> str:
    """How many copies may have been missed for their small number alone; empty where none."""
    if audit.fewest_flagged in (None, 1):
        return ""
    return f" Fewer than {audit.fewest_flagged:,} copies could not have been told from chance."


def details(audit: Audit, found: Sequence[CopiedImage]) -> list[str]:
    """What follows the headline: the estimated share, and what the flags rest on."""
    sentences = [fraction(audit.copied_fraction)]
    if flagged := int(audit.flagged.sum()):
        false = round(audit.level * flagged)
        wrong = f"about {false:,} at most" if false else "less than one"
        sentences.append(
            f"The flagged images repeat {count(len(found), 'training image')}. Of the {flagged:,}, "
            f"{wrong} should be flagged by mistake."
        )
    return sentences


def fraction(estimate: Result | None) -> str:
    """The estimated share of copies with its interval, as a sentence."""
    if estimate is None or np.isnan(estimate.value):
        return "The share of copies cannot be estimated from these images."
    interval = estimate.interval
    about = "about none" if estimate.value <= 0 else f"about {share(estimate.value)}"
    sentence = f"Estimated share of copies: {about}"
    if interval is None:
        return f"{sentence} of the generated images lie closer than honest images ever do."
    sure = percent(interval.level)
    limits = f"{share(interval.low)} to {share(interval.high)}"
    zero = ", so it may be none" if interval.low <= 0 < estimate.value else ""
    return (
        f"{sentence} of the generated images lie closer to training images than honest images ever "
        f"do ({sure} interval: {limits}{zero})."
    )


def null_sentences(audit: Audit) -> list[str]:
    """What the p-values compare with, for people who have never met one."""
    spaces = audit.spaces
    names = " and ".join(printable(space.name) for space in spaces)
    if all(space.null.source == "test" for space in spaces):
        first = (
            "A p-value says how rarely an honest image comes as close to a training image. Honest "
            f"images are the held-out ones here: {_sizes(audit)} of them were compared with the "
            "training images in the same way."
        )
    else:
        first = (
            "A p-value says how rarely an honest image comes as close to a training image. No "
            f"held-out images were given, so {_sizes(audit)} training images were compared with "
            "all the others, each left out in turn. The p-values mean what they say as far as "
            "training images are no closer to each other than new images of the same kind are to "
            "them: near-duplicates in the training set make copies harder to see."
        )
    sentences = [first]
    if any(space.null.tail for space in spaces):
        sentences.append(
            "Images closer than almost every honest one get their p-value from a power law fitted "
            "to the closest honest images, since counting cannot go below one in their number. "
            "Honest near-duplicates that are rarer than that are unknown to it, so it flags only "
            "where more images are closer than all honest ones than an honest generator would "
            "show: look before you accuse."
        )
    if len(spaces) > 1:
        sentences.append(
            f"Images were compared in {len(spaces)} feature spaces, {names}; each sees copies that "
            "another misses. Their p-values are combined into one; distances are shown in the "
            "space that tells most, and those of different spaces do not compare."
        )
    sentences += _form_sentences(audit)
    sentences.append(
        f"An image is flagged where its q-value, the p-value corrected for looking at "
        f"{len(audit.p_values):,} images (Benjamini–Hochberg), is at most {number(audit.level)}: "
        f"then on average no more than {percent(audit.level)} of the flagged images are honest. "
        "d₁/d₂ is the distance to the nearest training image over that to the second nearest: "
        "near 0, one training image stands out."
    )
    return sentences


def space_table(audit: Audit) -> Grid:
    """One row a feature space."""
    rows = tuple(
        (
            printable(space.name),
            METRICS.get(space.metric, printable(space.metric)),
            printable(space.statistic_name),
            count(len(space.null.statistic), _source(space)),
            f"{space.null.dropped:,}" if space.null.dropped else "none",
            _tail(space),
            _short_fraction(space.copied_fraction),
        )
        for space in audit.spaces
    )
    return Grid(
        caption="The feature spaces, and the honest images in each",
        columns=(
            "Space",
            "Measured by",
            "Statistic",
            "Honest images",
            "Duplicates left out",
            "Power law",
            "Share of copies in this space",
        ),
        rows=rows,
    )


def class_table(audit: Audit) -> Grid | None:
    """Copies by class of the training image, most first; None where no classes were asked for."""
    classes = copied_by_class(audit)
    if not classes:
        return None
    ordered = sorted(classes.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    rows: list[tuple[str, ...]] = [
        (
            printable(name) or "no class",
            f"{flagged:,}",
            f"{images:,}",
            f"{size:,}",
            share(images / size) if size else "none",
        )
        for name, (flagged, images, size) in ordered[:CLASSES]
    ]
    if more := ordered[CLASSES:]:
        totals = [sum(counts[place] for _, counts in more) for place in range(3)]
        rows.append(
            (
                count(len(more), "more class").replace("classs", "classes"),
                *(f"{total:,}" for total in totals),
                share(totals[1] / totals[2]) if totals[2] else "none",
            )
        )
    return Grid(
        caption="By class of the training image",
        columns=("Class", "Flagged images", "Copied training images", "Training images", "Share"),
        rows=tuple(rows),
    )


def duplicates_sentence(one: Duplicates) -> str:
    """How many pairs were found where, by which rule, and what was done about them."""
    looked = f"{one.examined:,} of {one.of:,}" if one.examined < one.of else f"{one.of:,}"
    whose = "held-out" if one.between.startswith("test") else "training"
    pairs = len(one.first)
    space = printable(one.space)
    if not pairs:
        return f"None among {looked} {whose} images, in {space}."
    exact = int(one.exact.sum())
    same = f", {exact:,} of them the same to the byte" if exact else ""
    done = _left_out(one, whose)
    shown = f" The nearest {PAIRS:,} are shown." if pairs > PAIRS else ""
    return (
        f"{count(pairs, 'pair')} among {looked} {whose} images{same}. Two images count as "
        f"duplicates when, in {space}, {printable(one.rule)}. {done}{shown}"
    )


def _left_out(one: Duplicates, whose: str) -> str:
    """What was done about the pairs of one kind."""
    pairs = len(one.first)
    if not one.dropped:
        return "It stays in the audit." if pairs == 1 else "They stay in the audit."
    image = f"{whose} image"
    if one.dropped == pairs:
        them = f"Its {image} was" if pairs == 1 else f"Their {image}s were"
        return f"{them} left out of the audit."
    of_pairs = f"{image} of 1 pair" if one.dropped == 1 else f"{image}s of {one.dropped:,} pairs"
    return (
        "Only what is certain, the same to the byte or within a third of that, was left out: the "
        f"{of_pairs}; the others stay in the audit."
    )


def percent(value: float) -> str:
    """A round share: `5 %`, `0.1 %`."""
    return f"{100 * value:.4g} %"


def _same(audit: Audit) -> bool:
    """Whether the generated images are the training images."""
    one, other = audit.inputs.get("generated"), audit.inputs.get("train")
    return one is not None and other is not None and one.digest == other.digest


def _sizes(audit: Audit) -> str:
    """How many honest images there are, over the spaces."""
    sizes = sorted({len(space.null.statistic) for space in audit.spaces})
    return f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"


def _source(space: Space) -> str:
    return "held-out image" if space.null.source == "test" else "training image"


def _tail(space: Space) -> str:
    if not space.null.tail:
        return "none"
    return f"of the closest {space.null.tail:,}, exponent {number(space.null.exponent)}"


def _short_fraction(estimate: Result | None) -> str:
    if estimate is None or np.isnan(estimate.value):
        return "cannot be told"
    if estimate.interval is None:
        return share(max(estimate.value, 0.0))
    low, high = estimate.interval.low, estimate.interval.high
    return f"{share(max(estimate.value, 0.0))} ({share(low)} to {share(high)})"


def _form_sentences(audit: Audit) -> list[str]:
    """In which forms training images were compared, and in which space where that differs."""
    forms = {
        space.name: [audit.transformations[one] for one in space.forms] for space in audit.spaces
    }
    same = all(listed == forms[audit.spaces[0].name] for listed in forms.values())
    return [
        f"Training images were compared as they are and {_changes(listed)}"
        + ("" if same else f" in {printable(name)}")
        + ", to find copies in disguise; each kind of change is judged by itself, and the p-values "
        "are combined."
        for name, listed in (list(forms.items())[:1] if same else forms.items())
        if len(listed) > 1
    ]


def _changes(transformations: Sequence[Augmentation]) -> str:
    """What was done to training images, as a clause; places of the same crop in one bracket."""
    places: dict[str, list[str]] = {}
    for one in transformations:
        change, bracket, place = one.phrase.partition(" (")
        if change:
            places.setdefault(change, []).extend([place[:-1]] if bracket else [])
    phrases = [
        f"{change} ({', '.join(where)})" if where else change for change, where in places.items()
    ]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} or {phrases[-1]}"
