"""What a reader of an audit's flags must know of the honest images they were judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.results import Space
from genmem.calibration.null_distribution import FEWEST_FOR_TAIL


def notes_on_the_null(
    spaces: Sequence[Space],
    *,
    images: int,
    least_p: float,
    fewest: int | None,
    by_law: int,
    thinned: bool,
) -> list[str]:
    """Sentences for the terminal, the page and the JSON.

    Args:
        spaces: the findings; their honest images are the same.
        images: generated images.
        least_p: as in `Audit`.
        fewest: `Audit.fewest_flagged`.
        by_law: flags that rest on the power law.
        thinned: held-out images were left out for their distance.
    """
    null = spaces[0].null
    honest = len(null.statistic)
    notes = []
    if null.source == "train":
        notes.append(
            "no held-out images were given (--test): training images, each left out in turn, stand "
            "for honest ones. The p-values then say how unusual an image would be among the "
            "training images themselves; where those repeat one another or come in series, copies "
            "look less unusual than they are."
        )
    notes += _repeats(spaces, least_p)
    if fewest is None or fewest > 1:
        notes.append(
            f"with {_count(honest, 'honest image')} even a perfect copy gets a p-value of "
            f"{least_p:.2g}, and {what_is_flagged(images, fewest)}. {_advice(spaces)}"
        )
    if by_law:
        some = "1 flag rests" if by_law == 1 else f"{by_law:,} flags rest"
        most = max(1, round(images / (honest + 1)))
        notes.append(
            f"{some} on a power law fitted to the closest honest images: counting among "
            f"{honest:,} alone would not give {'it' if by_law == 1 else 'them'}. It cannot be "
            "excluded that honest images nearly repeat training images more rarely than about one "
            f"in {honest:,}; then about {most:,} of the flags could be such. Look before you "
            "accuse."
        )
    if null.dropped:
        notes.append(
            f"{_count(null.dropped, 'held-out image')} that nearly "
            f"{'repeats' if null.dropped == 1 else 'repeat'} training images "
            f"{'was' if null.dropped == 1 else 'were'} left out of the null (--drop-duplicates)."
        )
    if thinned:
        notes.append(
            "so flags and the share of copies ask for more than to be as close as held-out images "
            "are: closer than held-out images that are no near-duplicates. An honest generator "
            "that nearly repeats training images as often as held-out images do is not cleared."
        )
    return notes


def what_is_flagged(images: int, fewest: int | None) -> str:
    """How many must come as close as perfect copies, as a clause."""
    if fewest is None:
        return (
            "a copy cannot be flagged"
            if images == 1
            else f"none of {images:,} images can be flagged, however close"
        )
    return f"none of {images:,} images is flagged unless {fewest:,} come as close as copies do"


def _repeats(spaces: Sequence[Space], least_p: float) -> list[str]:
    """On honest images at no distance to training images."""
    null = spaces[0].null
    repeats = int((null.statistic == 0).sum())
    if not repeats:
        return []
    if null.source == "train":
        them = "training image is" if repeats == 1 else "training images are"
        mend = f"{_count(repeats, them, plural='')} there twice or more: --drop-duplicates counts"
        return [f"{mend} each once. Copies of {'it' if repeats == 1 else 'them'} are not unusual."]
    if float(np.median(null.statistic)) == 0:
        return [
            "most held-out images are training images too, so they are no yardstick: nothing can "
            "be flagged. Give images that were not trained on."
        ]
    are = "is an exact copy of one" if repeats == 1 else "are exact copies of some"
    out = "leaves it out" if repeats == 1 else "leaves them out"
    return [
        f"{_count(repeats, 'held-out image')} {are} in the training set, so a p-value cannot be "
        f"below {least_p:.2g}; --drop-duplicates {out}."
    ]


def _advice(spaces: Sequence[Space]) -> str:
    """How to come to know more."""
    null = spaces[0].null
    more = f"{FEWEST_FOR_TAIL:,} or more" if len(null.statistic) < FEWEST_FOR_TAIL else "more"
    kind = "held-out images" if null.source == "test" else "training or held-out images"
    return f"Look at the closest images; give {more} {kind}."


def _count(value: int, thing: str, *, plural: str = "s") -> str:
    return f"{value:,} {thing}{'' if value == 1 else plural}"
