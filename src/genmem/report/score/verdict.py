"""The verdict above the metrics: are these generated images copies?"""

from __future__ import annotations

from collections.abc import Mapping

from genmem.formatting import capitalize, share
from genmem.report.common.verdict import Level, Verdict
from genmem.report.score.interpret_copying import copied_images, exact_copies
from genmem.report.score.interpretation import (
    FEWEST_IMAGES,
    Evidence,
    has_held_out,
    interpret,
    same_set,
    too_small_sets,
    why_no_held_out,
)
from genmem.results import Score


def verdict(score: Score) -> Verdict:
    """What the metrics of copying say together; the strongest evidence decides.

    Exact copies count even if no metric of copying was requested.
    """
    if same_set(score, "generated", "train"):
        return Verdict(
            level="open",
            word="Same images",
            sentence="The generated and the training images are the same set, so every image is "
            "its own copy, and this says nothing about a generator.",
        )
    exact = exact_copies(score)
    exact_sentence = capitalize(exact.sentence) if exact else ""
    evidence: dict[str, Evidence] = {
        name: interpretation.evidence for name, interpretation in interpret(score).items()
    }
    closer = _closer(score, evidence)
    copied = exact is not None and exact.evidence == "copying"
    level: Level
    if copied or closer:
        level, word = "copying", "Copying"
        subject = f"{closer}: this" if closer else "This"
        sentences = [f"{subject} generator copies its training data.", exact_sentence]
        if copied:
            sentences.reverse()
    elif exact and exact.evidence == "doubt":
        level, word = "doubt", "Suspicious"
        advice = "Look at the closest pairs before trusting this generator."
        sentences = [exact_sentence, advice]
    elif "doubt" in evidence.values():
        level, word = "doubt", "Suspicious"
        finding = (
            "Some generated images are suspiciously close to training images: look at the closest "
            "pairs before trusting this generator."
        )
        sentences = [finding, exact_sentence]
    elif "clear" in evidence.values():
        level, word = "clear", "No sign of copying"
        sentences = [_no_closer(score, evidence), exact_sentence]
    else:
        level, word = "open", "Open"
        sentences = [f"No verdict on copying: {_missing(score)}.", exact_sentence]
    return Verdict(level=level, word=word, sentence=" ".join(filter(None, sentences)))


def _closer(score: Score, evidence: Mapping[str, Evidence]) -> str:
    """How the generated images are too close, without a full stop; empty if they are not."""
    as_a_whole = evidence.get("c_t") == "copying"
    fraction = score.metrics.get("copied_fraction")
    if fraction and fraction.interval and evidence["copied_fraction"] == "copying":
        more = ", and as a whole they are closer too" if as_a_whole else ""
        return (
            f"{copied_images(fraction, fraction.interval)} are closer to training images than "
            f"held-out images ever are{more}"
        )
    if as_a_whole:
        return "The generated images are closer to the training set than held-out images are"
    return ""


def _no_closer(score: Score, evidence: Mapping[str, Evidence]) -> str:
    """What was compared with the held-out images and passed, and what may have been missed."""
    sentence = (
        "On the whole the generated images are no closer to the training set than held-out images "
        "are"
        if evidence.get("c_t") == "clear"
        else "The closest generated images are no closer to the training set than the closest "
        "held-out images are"
    )
    fraction = score.metrics.get("copied_fraction")
    if fraction and fraction.interval and evidence["copied_fraction"] == "clear":
        return (
            f"{sentence}; at most {share(fraction.interval.high)} of the generated images are "
            "copies that this backbone can recognize."
        )
    return f"{sentence}; rare copies are not ruled out."


def _missing(score: Score) -> str:
    """What a verdict would need, as a clause."""
    if score.inputs["train"].kind == "statistics":
        return "the training set is given as statistics, so no image is compared with another"
    if not has_held_out(score):
        reason = why_no_held_out(score)
        return (
            reason
            if "test" in score.inputs
            else f"{reason}, so nothing defines how close is too close"
        )
    tests = [score[name] for name in ("copied_fraction", "c_t") if name in score.metrics]
    small = too_small_sets(tests[0]) if tests else ""
    if small:
        return f"too few images ({small}; {FEWEST_IMAGES} of each kind are needed)"
    return "no metric of this run compares with the held-out images"
