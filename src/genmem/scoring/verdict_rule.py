"""One rule for all verdicts: what the evidence on copying says as a whole.

`score` and `audit` gather their evidence in one `Evidence`, so that they cannot contradict each
other. The rule:

- Copying takes single images closer to training images than honest ones ever are: flagged images,
  a copied fraction that chance gives in fewer than 1 of 200 honest sets, or many exact copies. A
  shift of all distances, C_T, is never copying.
- Where held-out images are no yardstick, no accusation rests on them. Exact copies remain; and,
  where training images come in series, images closer than training images are to each other.
- No evidence silences other evidence: what is weaker makes the verdict suspicious, whatever the
  stronger tests say.
- "No sign" says how large a share of copies could be there, which would have been found, and what
  was not looked for.
"""

from __future__ import annotations

import math

from genmem.formatting import capitalize, count, number, percent, share, share_range
from genmem.metrics.copied_fraction import DETECTION
from genmem.results import Basis, Interval, Label, Result, Verdict
from genmem.scoring.evidence import CHANCE, Evidence
from genmem.yardstick.generator_shape import describe_nearer, describe_shape

STRONG_CHANCE = 0.005
"""A copied fraction by which honest sets are accused must be rarer than this, where no single image
is flagged: in 1 of 40 draws the interval of an honest set excludes 0."""

LEFT_OUT_CHANCE = 0.005
"""The same of evidence against training images left out in turn: they come in pairs that are each
other's nearest, so that chance is larger than it is computed."""

MOST_UNSEEN = 0.1
"""The largest share of perfect copies that may go unseen before a verdict stays open."""

CROWD = 0.5
"""From this share of the images on, a verdict says what else they could be."""


def decide(evidence: Evidence) -> Verdict:
    """The verdict that follows from the evidence, by the rule above."""
    if evidence.same_as_train:
        sentence = (
            "The generated and the training images are the same set, so every image is its own "
            "copy, and this says nothing about a generator."
        )
        return Verdict(label="open", sentence=sentence, comparable=False)
    basis = _basis(evidence)
    strong, weak = _strong(evidence, basis), _weak(evidence)
    label: Label
    if basis:
        label, sentence = "copying", _copying(evidence, strong)
    elif weak:
        label, sentence = "suspicious", _suspicious(evidence, weak)
    elif evidence.yardstick_fails:
        label, sentence = "no-yardstick", _no_yardstick(evidence)
    elif evidence.missing:
        label, sentence = "open", f"No verdict on copying: {evidence.missing}."
    elif reason := evidence.too_few or _why_blind(evidence):
        label, sentence = "open", f"No verdict on copying: {reason}."
        sentence = f"{evidence.finding} {sentence}".strip()
    else:
        label, sentence = "no-sign", _no_sign(evidence)
    if evidence.exact and evidence.exact.explanation:
        sentence = f"{sentence} {capitalize(evidence.exact.sentence)}"
    return Verdict(
        label=label,
        sentence=sentence,
        reasons=_reasons(evidence, strong + weak),
        comparable=evidence.comparable,
        basis=basis,
    )


def _excludes_zero(fraction: Result | None) -> bool:
    return fraction is not None and fraction.interval is not None and fraction.interval.low > 0


def _is_beyond_chance(evidence: Evidence) -> bool:
    """Whether the copied fraction alone is strong evidence."""
    fraction = evidence.fraction
    if fraction is None or not _excludes_zero(fraction):
        return False
    return float(fraction.parts.get("p_value", 0.0)) <= STRONG_CHANCE / evidence.spaces


def _beyond_left_out(evidence: Evidence) -> bool:
    """Whether images are closer to training images than these are to each other."""
    fraction = evidence.of_left_out
    if fraction is None or not _excludes_zero(fraction):
        return False
    return float(fraction.parts["p_value"]) <= LEFT_OUT_CHANCE / evidence.spaces


def _basis(evidence: Evidence) -> tuple[Basis, ...]:
    """What a verdict of copying rests on; empty where nothing is strong enough for one."""
    basis: list[Basis] = []
    if evidence.exact and evidence.exact.strong:
        basis.append("exact")
    if evidence.missing or evidence.too_few:
        return tuple(basis)
    closer = _is_beyond_chance(evidence) and not evidence.close_repeats
    if evidence.yardstick_fails:
        if evidence.only_series and closer and _beyond_left_out(evidence):
            basis.append("left-out")
        return tuple(basis)
    if evidence.flagged and not evidence.flagged_repeats:
        basis.append("flags")
    if closer:
        basis.append("share")
    return tuple(basis)


def _strong(evidence: Evidence, basis: tuple[Basis, ...]) -> list[str]:
    """Evidence of copying, a sentence each."""
    sentences = []
    if evidence.exact and "exact" in basis:
        sentences.append(capitalize(evidence.exact.sentence))
    if "left-out" in basis:
        sentences.append(_left_out_sentence(evidence))
    elif "flags" in basis or "share" in basis:
        sentences.append(_closer_sentence(evidence))
    return sentences


def _weak(evidence: Evidence) -> list[str]:
    """Evidence that makes suspicious, a sentence each."""
    sentences = []
    if evidence.exact and evidence.exact.weak:
        sentences.append(capitalize(evidence.exact.sentence))
    comparable = not evidence.yardstick_fails or evidence.only_series
    if evidence.near and evidence.near.suspicious and comparable:
        sentences.append(evidence.near.sentence)
    if evidence.missing or evidence.too_few:
        return sentences
    if evidence.yardstick_fails:
        comparable = not evidence.only_series or _excludes_zero(evidence.fraction)
        if comparable and _beyond_left_out(evidence):
            sentences.append(_left_out_sentence(evidence))
        return sentences
    if evidence.flagged_repeats or evidence.close_repeats:
        sentences.append(_repeats_sentence(evidence))
    elif _excludes_zero(evidence.fraction) and not _is_beyond_chance(evidence):
        sentences.append(_closer_sentence(evidence))
    closer, chance = evidence.closer
    if closer and chance <= CHANCE and not _excludes_zero(evidence.fraction):
        closest = "image is" if closer == 1 else "images are"
        sentences.append(
            f"{closer:,} generated {closest} closer to a training image than every held-out image "
            f"{evidence.where}; without copies that happens in {share(chance)} of cases."
        )
    shape = evidence.shape
    if shape is not None and shape.nearer and not shape.narrower:
        sentences.append(describe_nearer(shape, evidence.where_shape))
    return sentences


def _repeats_sentence(evidence: Evidence) -> str:
    """That many images match only one or two training images."""
    parts = evidence.fraction.parts if evidence.fraction is not None else {}
    if evidence.flagged_repeats:
        images, matched = f"{evidence.flagged:,} flagged images", evidence.matched
    else:
        images, matched = f"{parts['below']:,} closest images", parts["train_images_below"]
    same = "the same training image" if matched == 1 else f"the same {matched} training images"
    return (
        f"The {images} all match {same}: a generator that makes one image again and again shows "
        "this without copying, too, where that image is close by chance."
    )


def _not_weighed(evidence: Evidence) -> list[str]:
    """What does not count without a yardstick but must be known, a sentence each."""
    if not evidence.yardstick_fails:
        return []
    sentences = []
    if evidence.flagged:
        sentences.append(
            f"{evidence.flagged:,} of {evidence.images:,} generated images "
            f"{'is' if evidence.flagged == 1 else 'are'} closer to training images than these "
            "held-out images allow; without a yardstick that alone accuses none of them."
        )
    if _excludes_zero(evidence.fraction):
        sentences.append(f"Compared with these held-out images: {_closer_sentence(evidence)}")
    if evidence.near and evidence.near.near:
        sentences.append(evidence.near.sentence)
    return sentences


def _closer_sentence(evidence: Evidence) -> str:
    """How many images are closer than held-out images ever are."""
    fraction = evidence.fraction
    if fraction is None or fraction.interval is None or not _excludes_zero(fraction):
        return evidence.finding
    return (
        f"{closer_images(fraction, fraction.interval, evidence.unit)} than held-out images ever "
        f"are {evidence.where}."
    )


def _left_out_sentence(evidence: Evidence) -> str:
    """How many images are closer than training images are to each other."""
    fraction = evidence.of_left_out
    if fraction is None or fraction.interval is None:
        return ""
    return (
        f"{closer_images(fraction, fraction.interval)} than these are to each other "
        f"{evidence.where_left_out}."
    )


def closer_images(result: Result, interval: Interval, unit: str = "generated images") -> str:
    """`About 1.2 % of the generated images (0.85 to 1.7 %), some 120 of 10,000, are closer to …`.

    Args:
        result: the copied fraction.
        interval: of it.
        unit: what it is a share of.

    Returns:
        The start of a sentence, up to "are closer to training images".
    """
    images = result.n["generated"]
    ends = share_range(interval.low, interval.high)
    if images == 1:
        return f"The only one of the {unit} ({ends}) is closer to training images"
    if result.value == 1:
        return f"All {images:,} {unit} ({ends}) are closer to training images"
    copies = max(1, round(result.value * images))
    some = f"some {copies:,}" if copies > 1 else "one"
    return (
        f"About {share(result.value)} of the {unit} ({ends}), {some} of {images:,}, are closer to "
        "training images"
    )


def _copying(evidence: Evidence, strong: list[str]) -> str:
    """What is flagged first, then exact copies, then the share; no flag decides nothing here."""
    sentences = list(strong)
    flagged = evidence.flagged and evidence.comparable
    if flagged and evidence.finding not in sentences:
        sentences.insert(0, evidence.finding)
    if len(sentences) == 1 and sentences[0] == evidence.finding:
        return _with_crowd(evidence, evidence.finding)
    if sentences[-1].endswith(".") and not evidence.finding:
        sentences[-1] = f"{sentences[-1][:-1]}: this generator copies its training data."
    return _with_crowd(evidence, " ".join(sentences))


def _with_crowd(evidence: Evidence, sentence: str) -> str:
    """The sentence, and what else so many images could be."""
    fraction = evidence.of_left_out if evidence.yardstick_fails else evidence.fraction
    value = fraction.value if fraction is not None else 0.0
    estimated = 0.0 if math.isnan(value) else value
    most = max(evidence.flagged / max(1, evidence.images), estimated)
    if most <= CROWD or evidence.yardstick is None:
        return sentence
    return (
        f"{sentence} So many images at once can also mean that the held-out images come from "
        "elsewhere, that the training images are series of a few scenes, or that a wrong folder "
        "was given: look at the closest pairs first."
    )


def _suspicious(evidence: Evidence, weak: list[str]) -> str:
    start, end = [], ["Look at the closest pairs before trusting this generator."]
    if evidence.yardstick_fails:
        start.append(_no_yardstick(evidence))
    elif evidence.flagged and evidence.comparable:
        start.append(evidence.finding)
    elif evidence.finding and evidence.comparable and not (evidence.exact and evidence.exact.weak):
        end.insert(0, evidence.finding)
    return " ".join([*start, *weak, *end])


def _no_yardstick(evidence: Evidence) -> str:
    """What differs, and what follows for the closest images."""
    reasons = evidence.yardstick.reasons if evidence.yardstick else ()
    rest = f" {count(len(reasons) - 1, 'more reason')} below." if len(reasons) > 1 else ""
    first = reasons[0] if reasons else ""
    return (
        f"No yardstick: {first[:1].lower()}{first[1:]}{rest} So nothing says how close is too "
        "close: the closest images are shown, and none is accused."
    )


def _why_blind(evidence: Evidence) -> str:
    """Why copies would have gone unseen, as a clause; empty if they would not."""
    fraction = evidence.fraction
    if fraction is None or math.isnan(fraction.value) or fraction.interval is None:
        return "the held-out images leave no threshold to tell copies by"
    detectable = fraction.parts.get("detectable_share")
    if not isinstance(detectable, float):
        return f"not even {evidence.images:,} copies could have been told from none"
    if detectable > MOST_UNSEEN and detectable > 1 / evidence.images:
        return (
            f"too few images; only a share of {share(detectable)} of perfect copies or more would "
            f"have been told from none with a probability of {percent(DETECTION)}"
        )
    return ""


def _no_sign(evidence: Evidence) -> str:
    """What was compared and passed, how many copies there can be, and what was not looked for."""
    fraction = evidence.fraction
    if fraction is None or fraction.interval is None:
        raise AssertionError("without a copied fraction there is no sign of nothing")
    finding = evidence.finding or (
        f"No copies found {evidence.where}: the closest generated images are no closer to "
        "training images than the closest held-out images are."
    )
    detectable = float(fraction.parts["detectable_share"])
    if evidence.shape is not None and evidence.shape.nearer:
        z = number(round(evidence.shape.nearness_z or 0.0, 1))
        finding += f" As a whole they are nearer (C_T {z}), as images of less variety are."
    bound = evidence.bound or (
        f"At most {share(fraction.interval.high)} of the {evidence.unit} are copies that lie "
        "closer to training images than honest images ever do."
    )
    return (
        f"{finding} {bound[:-1]}; a share of {share(detectable)} of perfect copies would have been "
        f"told from none with a probability of {percent(DETECTION)}. Not looked for: "
        f"{evidence.missed}."
    )


def _reasons(evidence: Evidence, sentences: list[str]) -> tuple[str, ...]:
    """All that speaks for the verdict, against it, or must be known, a sentence each."""
    yardstick = evidence.yardstick
    return tuple(
        dict.fromkeys(
            [
                *sentences,
                *_not_weighed(evidence),
                *([evidence.shares] if evidence.shares and evidence.comparable else ()),
                *(yardstick.reasons if yardstick else ()),
                *(describe_shape(evidence.shape, evidence.where_shape) if evidence.shape else ()),
                *(yardstick.notes if yardstick else ()),
            ]
        )
    )
