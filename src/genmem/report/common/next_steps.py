"""What a reader of an audit should do, by the label of its verdict."""

from __future__ import annotations

from genmem.results import Label

_STEPS: dict[Label, tuple[str, ...]] = {
    "copying": (
        "Look at every pair {pairs} and mark it: a copy, not a copy, or unsure.",
        "Until that is done, publish neither the images nor the model.",
        "If copies are confirmed, clarify the rights in the training images that were copied "
        "(copied.csv lists them), remove images that are in the training set more than once, train "
        "again or filter the outputs, and audit again.",
    ),
    "suspicious": (
        "Treat the generator as not cleared. Look at the nearest pairs {pairs}.",
        "Audit again with more generated and more held-out images: weak evidence then becomes "
        "strong or disappears.",
    ),
    "no-sign": (
        "Nothing that was found speaks against the generator. The result holds for the kinds of "
        "copies that were searched for, and for these images.",
        "Look at the nearest pairs {pairs} all the same: a person sees what a distance does not.",
        "Audit again when the model, its training set or its use changes.",
    ),
    "no-yardstick": (
        "Do not use this audit to accuse or to clear the generator.",
        "Take held-out images from the same source as the training images, processed in the same "
        "way, and audit again.",
    ),
    "open": (
        "Do not use this audit to accuse or to clear the generator.",
        "Give what is missing ({missing}), and audit again.",
    ),
}


def next_steps(label: Label, *, pairs: str, missing: str) -> tuple[str, ...]:
    """The steps, a sentence or two each.

    Args:
        label: of the verdict.
        pairs: where the document shows the pairs, as "in section 3".
        missing: where it says what is missing, as "the finding names it".
    """
    return tuple(step.format(pairs=pairs, missing=missing) for step in _STEPS[label])
