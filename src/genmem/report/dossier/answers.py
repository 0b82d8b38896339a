"""The five questions of a dossier's first page, and their answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genmem.auditing.review import Review
from genmem.formatting import capitalize, count, join_words, percent, printable, share, share_range
from genmem.report.common.next_steps import next_steps
from genmem.report.common.provenance import ROLE_NAMES
from genmem.report.common.verdict import LEFT_OUT, share_sentence, which_are_copies
from genmem.report.dossier.method import not_searched, power_sentence, searched_kinds
from genmem.report.dossier.stored_audit import StoredAudit
from genmem.results import Interval

_NO_REVIEW = "No reviewer's marks were given with this document."

_ESTIMATED = (
    "The estimated share differs from the share of flagged images: it takes off what chance gives, "
    "and counts copies that are not flagged."
)

_EXACT = (
    "Exact copies need no error rate: the images are equal. The finding says how often images "
    "repeat in these sets without a generator, where that is known."
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question and its answer, in sentences."""

    question: str
    sentences: tuple[str, ...]


def answers(audit: StoredAudit, review: Review | None) -> list[Answer]:
    """What was searched and found, how sure it is, what could have been missed, what to do.

    Args:
        audit: the folder.
        review: the reviewer's marks; None without.
    """
    sections = (
        ("What was searched?", _searched(audit)),
        ("What was found?", _results(audit)),
        ("How sure is that?", _certainty(audit, review)),
        ("What could have been missed?", _missed(audit)),
        (
            "What should be done?",
            next_steps(
                audit.verdict.label,
                pairs="in section 3",
                missing="the finding and section 5 name it",
            ),
        ),
    )
    return [
        Answer(question=question, sentences=tuple(filter(None, sentences)))
        for question, sentences in sections
    ]


def _searched(audit: StoredAudit) -> tuple[str, ...]:
    honest = (
        f"{count(audit.count('test') or 0, 'held-out image')}, which should be of the same kind as "
        "the training images but were not used for training, show how close two images come by "
        "chance."
        if audit.count("test") is not None
        else "No held-out images were given: training images, compared with each other, show how "
        "close two images come by chance."
    )
    return (
        f"Each of {count(audit.images, 'generated image')} ({_source(audit, 'generated')}) was "
        f"compared with {count(audit.count('train') or 0, 'training image')} "
        f"({_source(audit, 'train')}).",
        honest,
        f"The search was for {join_words(searched_kinds(audit))}.",
    )


def _results(audit: StoredAudit) -> tuple[str, ...]:
    """The finding above in lay words, and what it does not say."""
    estimate = audit.numbers.get("copied_fraction") or {}
    value = estimate.get("value")
    limits = estimate.get("interval")
    interval = Interval(**{"method": "", **limits}) if limits else None
    copied = int(audit.numbers["copied_training_images"])
    repeat = "image repeats" if audit.flagged == 1 else "images repeat"
    counted = audit.flagged and audit.verdict.comparable
    return (
        _lay_finding(audit),
        f"The flagged {repeat} {count(copied, 'training image')}." if counted else "",
        _ESTIMATED if counted and interval and audit.verdict.tells_share else "",
        share_sentence(audit.verdict, math.nan if value is None else float(value), interval),
    )


def _lay_finding(audit: StoredAudit) -> str:
    """The finding for readers who skip its numbers."""
    images = count(audit.images, "generated image")
    if audit.label == "no-yardstick":
        return "Nothing that counts: flags and probabilities in this document prove nothing."
    if audit.label == "open" and not audit.verdict.comparable:
        return "Nothing that counts: there was nothing to compare with. The finding above says why."
    if audit.label == "open":
        return (
            f"No copies, but this says little: {images} and the honest images here are too few to "
            "tell copies from chance."
        )
    if audit.label == "no-sign":
        return f"No copies: none of {images} is closer to a training image than chance explains."
    if audit.label == "suspicious":
        return "Signs of copying that are too weak to accuse anybody; the finding above names them."
    if "left-out" in audit.verdict.basis:
        return (
            f"Copies: of {images}, more than chance explains are closer to training images than "
            f"these are to each other. {which_are_copies(audit.verdict)}"
        )
    if not audit.verdict.comparable:
        return f"Copies: the finding above counts them. {which_are_copies(audit.verdict)}"
    if audit.flagged:
        are = "is" if audit.flagged == 1 else "are"
        return (
            f"Copies: {audit.flagged:,} of {images} {are} closer to a training image than chance "
            "explains."
        )
    return (
        f"Copies: more of {images} are close to training images than chance explains. Which ones "
        "are copies cannot be said one by one."
    )


def _certainty(audit: StoredAudit, review: Review | None) -> tuple[str, ...]:
    reviewed = review_sentence(review) if review else _NO_REVIEW
    if not audit.verdict.comparable:
        return (
            "No error rate can be given.",
            yardstick_sentence(audit) if audit.numbers.get("yardstick") else "",
            _EXACT if "exact" in audit.verdict.basis else "",
            LEFT_OUT if "left-out" in audit.verdict.basis else "",
            reviewed,
        )
    level = float(audit.numbers["level"])
    false = round(level * audit.flagged)
    mistakes = f"about {false:,} at most" if false else "less than one"
    rule = (
        f"images are flagged so that on average no more than {percent(level)} of the flagged ones "
        "are honest."
    )
    flags = capitalize(rule)
    if audit.flagged > 1:
        flags = (
            f"Of the {audit.flagged:,} flagged images, {mistakes} should be flagged by mistake on "
            f"average, and in a single audit perhaps more: {rule}"
        )
    by_law = int(audit.numbers["flagged_by_power_law"])
    return (
        flags,
        f"{by_law:,} of the flags rest on an extrapolation beyond the closest held-out image; look "
        "at these pictures with particular care."
        if by_law
        else "",
        yardstick_sentence(audit),
        reviewed,
    )


def yardstick_sentence(audit: StoredAudit) -> str:
    """Whether the held-out images were tested, and with which result."""
    if audit.count("test") is None:
        return (
            "All of this assumes that training images are no closer to each other than new images "
            "are to them."
        )
    yardstick = audit.numbers.get("yardstick")
    if yardstick is None:
        return (
            "All of this assumes that the held-out images are of the same kind; it was not tested."
        )
    if yardstick["holds"]:
        notes = "".join(f" {capitalize(printable(str(note)))}" for note in yardstick["notes"])
        return (
            "The held-out images were tested: nothing speaks against comparing with them. That "
            f"they were kept out of training is for their owner to confirm.{notes}"
        )
    reasons = " ".join(capitalize(printable(str(reason))) for reason in yardstick["reasons"])
    return f"The held-out images cannot be compared with. {reasons}"


def review_sentence(review: Review) -> str:
    """The reviewed share of false flags, in words."""
    if not review.marked:
        return "The reviewer marked none of the flagged pairs."
    whole = (
        "All flagged pairs are marked."
        if review.marked == review.flagged
        else "It holds for the other flagged pairs only if those to mark were chosen at random."
    )
    estimate = "" if review.rate is None else f": {share(review.rate)}"
    return (
        f"A reviewer marked {review.marked:,} of {count(review.flagged, 'flagged pair')}: "
        f"{count(review.copies, 'copy', 'copies')}, {review.not_copies:,} not, "
        f"{review.unsure:,} unsure. Reviewed share of false flags{estimate} "
        f"({percent(review.level)} interval: {share_range(review.low, review.high)}). {whole}"
    )


def _missed(audit: StoredAudit) -> tuple[str, ...]:
    fewest = audit.numbers.get("min_copies_flagged")
    few = ""
    if "left-out" in audit.verdict.basis:
        few = (
            "Copies that are no closer to a training image than training images of one series are "
            "to each other."
        )
    elif not audit.verdict.comparable:
        few = "Every copy that is not exact: nothing says how close is too close."
    elif fewest is None:
        few = "With so few honest images, no image at all could have been flagged."
    elif fewest > 1:
        few = (
            f"Had fewer than {fewest:,} of the generated images been copies, none would have been "
            "flagged, not even an exact copy: for that there are too few honest images."
        )
    return (
        few,
        power_sentence(audit),
        f"Not searched for: {join_words(not_searched(audit), last='or')}.",
        "Whether an image was used for training: that can leak without any copy of it (distances "
        "do not show membership privacy).",
    )


def _source(audit: StoredAudit, role: str) -> str:
    summary = audit.numbers["inputs"][role]
    return printable(str(summary["source"])) or ROLE_NAMES[role]
