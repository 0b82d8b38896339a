"""Caveats of an audit's flags, which depend on the honest images they are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.groups import Groups
from genmem.auditing.space_results import NullSample, SpaceResult
from genmem.calibration.null_distribution import FEWEST_FOR_TAIL
from genmem.formatting import count


def caveats(
    spaces: Sequence[SpaceResult],
    *,
    images: int,
    min_p_value: float,
    min_copies: int | None,
    by_power_law: int,
    biased: bool,
    groups: Groups | None = None,
) -> list[str]:
    """Sentences for the terminal, the page and the JSON.

    Args:
        spaces: the results, all with the same honest images.
        images: number of generated images.
        min_p_value: as in `Audit`.
        min_copies: `Audit.min_copies_flagged`.
        by_power_law: number of flags that rest on the power law.
        biased: held-out images were left out for their distance.
        groups: the images' groups, where they count.
    """
    null = spaces[0].null
    notes = []
    if null.source == "train":
        notes.append(
            "no held-out images were given (--test): training images, each left out in turn, stand "
            "for honest ones. The p-values then say how unusual an image would be among the "
            "training images themselves; where those repeat one another or come in series, copies "
            "look less unusual than they are."
        )
    if groups is not None:
        notes += _groups(null, groups)
    notes += _repeats(spaces, min_p_value)
    if min_copies is None or min_copies > 1:
        honest = count(len(null.statistic), f"honest {_unit(null)}")
        notes.append(
            f"with {honest} even a perfect copy gets a p-value of {min_p_value:.2g}, and "
            f"{flagged_clause(images, min_copies)}. {_advice(spaces)}"
        )
    if by_power_law:
        notes.append(_extrapolated(null, by_power_law, images))
    if null.dropped:
        notes.append(
            f"{count(null.dropped, 'held-out image')} that nearly "
            f"{'repeats' if null.dropped == 1 else 'repeat'} training images "
            f"{'was' if null.dropped == 1 else 'were'} left out of the null (--drop-duplicates)."
        )
    if biased:
        notes.append(
            "Images are therefore flagged, and counted as copies, only if they are closer than "
            "held-out images that are not near-duplicates. An honest generator that nearly repeats "
            "training images as often as held-out images do is not cleared."
        )
    return notes


def _extrapolated(null: NullSample, flags: int, images: int) -> str:
    """What flags that rest on the power law leave open."""
    honest = len(null.statistic)
    some = "1 flag rests" if flags == 1 else f"{flags:,} flags rest"
    most = max(1, round(images / (honest + 1)))
    return (
        f"{some} on a power law fitted to the closest honest {_unit(null)}s: counting among "
        f"{honest:,} alone would not give {'it' if flags == 1 else 'them'}. It cannot be excluded "
        "that honest images nearly repeat training images more rarely than about one in "
        f"{honest:,}; then about {most:,} of the flags could be such. Look before you accuse."
    )


def _groups(null: NullSample, groups: Groups) -> list[str]:
    """How many independent groups the honest images are, and which were left out."""
    kind = "held-out" if null.source == "test" else "training"
    images, units = null.images or len(null.statistic), len(null.statistic)
    notes = [
        f"{count(images, f'{kind} image')} in {count(units, 'group')} ({groups.rule}): each group "
        "counts once, by its image closest to the training images, so they say as much as "
        f"{units:,} independent images. The generated images are in "
        f"{count(groups.count('generated'), 'group')}."
    ]
    if null.shared:
        notes.append(
            f"{count(null.shared, 'held-out image')} left out of the null: training images belong "
            f"to {'its' if null.shared == 1 else 'their'} groups too."
        )
    return notes


def _unit(null: NullSample) -> str:
    """What counts once in the null."""
    return "image" if null.images is None else "group"


def flagged_clause(images: int, min_copies: int | None) -> str:
    """A clause on how many images must come as close as perfect copies to be flagged."""
    if min_copies is None:
        return (
            "a copy cannot be flagged"
            if images == 1
            else f"none of {images:,} images can be flagged, however close"
        )
    return f"none of {images:,} images is flagged unless {min_copies:,} come as close as copies do"


def _repeats(spaces: Sequence[SpaceResult], min_p_value: float) -> list[str]:
    """A caveat on honest images at distance 0 from training images."""
    null = spaces[0].null
    repeats = int((null.statistic == 0).sum())
    if not repeats:
        return []
    if null.source == "train":
        repeated = count(repeats, "training image is", "training images are")
        return [
            f"{repeated} there twice or more: --drop-duplicates counts each once. Copies of "
            f"{'it' if repeats == 1 else 'them'} are not unusual."
        ]
    if float(np.median(null.statistic)) == 0:
        return [
            "most held-out images are training images too, so nothing can "
            "be flagged. Give images that were not trained on."
        ]
    are = "is an exact copy of one" if repeats == 1 else "are exact copies of some"
    out = "leaves it out" if repeats == 1 else "leaves them out"
    return [
        f"{count(repeats, 'held-out image')} {are} in the training set, so a p-value cannot be "
        f"below {min_p_value:.2g}; --drop-duplicates {out}."
    ]


def _advice(spaces: Sequence[SpaceResult]) -> str:
    """Advice on how to learn more."""
    null = spaces[0].null
    more = f"{FEWEST_FOR_TAIL:,} or more" if len(null.statistic) < FEWEST_FOR_TAIL else "more"
    kind = f"held-out {_unit(null)}s" if null.source == "test" else "training or held-out images"
    return f"Look at the closest images; give {more} {kind}."
