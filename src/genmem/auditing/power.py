"""The power of an audit: disguised copies of its training images, tested like generated images.

The p-value of an image depends on the training and the held-out images alone. So copies are planted
into the audit itself: they are searched and tested against the same null in the same spaces, and
the m : n ratio is the audit's own. Copies are of randomly chosen training images, each disguise
those of others, as far as there are enough: given the null their p-values are independent, and the
counts binomial.

Whether an image of a given p-value is flagged depends on how many others are as small. The share
flagged supposes that `copies` of the n generated images are copies in one disguise: their p-values
are those of the planted ones, repeated in turn, and take the place of randomly drawn generated
images; the others keep theirs. `copies` is 5 % of the images, or a tenth more than the fewest
perfect copies that are flagged at all, where that is more.

The bound needs no such supposition, and no exchangeable held-out images. Let an image be close if
at most r honest images are closer, K the number of close generated images, and s the chance that a
planted copy is close. Of C copies Binomial(C, s) are close, so K is a rare count for a large C.
With s at its lower limit,

    bound = max {C : P(Binomial(C, s) ≤ K) > .025} / n,   s: Clopper–Pearson, one-sided .025 / T

r is chosen among T ranks by what the planted copies show, before K is looked at. Copies in all
disguises count in equal parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from genmem.auditing.power_results import DisguisePower, Power
from genmem.auditing.space_results import Bools, Floats, Ints
from genmem.calibration.q_values import counted_p_values, q_values
from genmem.errors import InputError
from genmem.images import ImageSource, decode
from genmem.images.disguises import apply_disguise
from genmem.images.disguises.values import Pixels, resize
from genmem.metrics.intervals import LEVEL, SIDE, clopper_pearson
from genmem.results import Interval

KINDS: dict[str, tuple[str, str]] = {
    "JPEG": ("JPEG 50", "JPEG 20"),
    "resize": ("resized to half", "resized to 96 px"),
    "crop": ("crop 80 %", "crop 40 %"),
    "flip": ("flip", "flip, crop, JPEG"),
    "rotate": ("rotate 5", "rotate 90"),
    "color": ("color jitter", "gray"),
    "blur": ("blur, light", "blur, strong"),
    "noise": ("noise, light", "noise, strong"),
    "text": ("text", "text, much"),
    "paste": ("pasted at 70 %", "pasted at 50 %"),
    "blend": ("blend 90/10", "blend 50/50"),
    "collage": ("half and half", "collage of four"),
}
"""Kinds of disguises that are planted, each in a light and a strong one."""

_SHARE_OF_WORK = 0.12
_FEWEST, _MOST = 4, 20
_SHARE_OF_COPIES = 0.05
_RANKS = (0.0, 0.002, 0.01)


def disguise_names() -> list[tuple[str, str]]:
    """Kind and disguise of each row, in order."""
    return [(kind, name) for kind, names in KINDS.items() for name in names]


def plant_copies(
    train: ImageSource, others: ImageSource, *, images: int, one_size: bool, seed: int
) -> list[Pixels]:
    """Disguised copies of randomly chosen training images.

    So few that an audit takes little longer for them: 4 to 20 in each disguise.

    Args:
        train: the training images.
        others: images that disguises combine copies with: held-out ones where there are any.
        images: all images of the audit together.
        one_size: stretch quarter turns to their images' sizes, for a space of one size.
        seed: of the choice and the disguises.

    Returns:
        uint8 [H, W, 3] each: as many copies in the first disguise as in the next, and so on.

    Raises:
        InputError: no training image can be read, or all are smaller than 8 × 8 pixels.
    """
    names = [name for _, name in disguise_names()]
    each = min(_MOST, max(_FEWEST, round(_SHARE_OF_WORK * images / len(names))))
    rng = np.random.default_rng([seed, 14])
    order = rng.permutation(len(train))
    wanted = iter(np.resize(order, len(names) * each + len(order)).tolist())
    partners = rng.integers(len(others), size=len(names) * each).tolist()
    planted: list[Pixels] = []
    failures = 0
    while len(planted) < len(names) * each:
        number = len(planted)
        row = next(wanted)
        try:
            image, other = _read(train, row), _read(others, partners[number])
            copy = apply_disguise(names[number // each], image, other=other, seed=number)
            size = (image.shape[1], image.shape[0])
            planted.append(resize(copy, size) if one_size else copy)
        except InputError as error:
            partners[number] = (partners[number] + 1) % len(others)
            failures += 1
            if failures >= len(order):
                raise InputError(
                    f"power: expected training images that can be read and disguised, got {error}"
                ) from error
    return planted


def _read(source: ImageSource, position: int) -> Pixels:
    return decode(source.content(position), name=source.describe(position))


def compute_power(
    planted: Floats,
    *,
    p_values: Floats,
    honest: Floats,
    groups: Ints | None,
    min_copies: int | None,
    level: float,
    seed: int,
) -> Power:
    """The power, from p-values against the same null.

    Args:
        planted: float64 [D · k], of the copies of `plant_copies`.
        p_values: float64 [n], of the generated images.
        honest: float64 [m], of the honest images, each among the others.
        groups: int64 [n], the generated images' groups; None where each stands for itself.
        min_copies: `Audit.min_copies_flagged`.
        level: as in `Audit`.
        seed: of the generated images that copies take the place of.
    """
    names = disguise_names()
    planted = planted.reshape(len(names), -1)
    images, each = len(p_values), planted.shape[1]
    fewest = math.ceil(1.1 * min_copies) if min_copies is not None else 0
    copies = min(images, max(each, fewest, math.ceil(_SHARE_OF_COPIES * images)))
    closer = _honest_closer(planted, honest)
    rank = _choose_rank(closer, honest=len(honest), images=images)
    close = int(np.count_nonzero(_honest_closer(p_values, honest) <= rank))
    rest = np.random.default_rng([seed, 15]).permutation(images)[: images - copies]
    rows = []
    for (kind, name), values, ranks in zip(names, planted, closer, strict=True):
        tested = np.concatenate([np.resize(values, copies), p_values[rest]])
        own = None
        if groups is not None:  # every copy is a group of its own
            own = np.concatenate([groups.max() + 1 + np.arange(copies), groups[rest]])
        q = q_values(tested, honest, groups=own)[: min(each, copies)]
        flagged = int((q <= level).sum())
        rows.append(
            DisguisePower(
                kind=kind,
                disguise=name,
                planted=len(q),
                flagged=flagged,
                interval=_interval(flagged, len(q)),
                at_most=_at_most(ranks <= rank, close=close, images=images),
            )
        )
    flagged, total = sum(row.flagged for row in rows), sum(row.planted for row in rows)
    return Power(
        disguises=tuple(rows),
        copies=copies,
        images=images,
        level=level,
        interval=_interval(flagged, total),
        at_most=_at_most(closer <= rank, close=close, images=images),
    )


def _interval(flagged: int, planted: int) -> Interval:
    low, high = clopper_pearson(flagged, planted)
    return Interval(low=low, high=high, level=LEVEL, method="exact: Clopper–Pearson")


def _honest_closer(p_values: Floats, honest: Floats) -> Ints:
    """How many honest images are closer, int64 of the p-values' shape."""
    counted = counted_p_values(p_values, honest)
    return np.rint(counted * (len(honest) + 1)).astype(np.int64) - 1


def _choose_rank(closer: Ints, *, honest: int, images: int) -> int:
    """The rank with the smallest bound that is expected without copies.

    Args:
        closer: honest images that are closer than each planted copy.
        honest: m.
        images: n.
    """
    bounds = []
    for rank in _ranks(honest):
        expected = math.ceil(images * (rank + 1) / (honest + 1))
        bounds.append((_at_most(closer <= rank, close=expected, images=images), rank))
    return min(bounds)[1]


def _ranks(honest: int) -> Sequence[int]:
    return sorted({min(honest - 1, round(share * honest)) for share in _RANKS})


def _at_most(planted: Bools, *, close: int, images: int) -> float:
    """The upper bound of the share of copies.

    Args:
        planted: whether each planted copy is close.
        close: K, generated images that are close.
        images: n.
    """
    from scipy.special import bdtr, betaincinv  # takes a moment to import

    seen, total = int(planted.sum()), planted.size
    if not seen:
        return 1.0
    side = SIDE / len(_RANKS)
    chance = float(betaincinv(seen, total - seen + 1, side))
    few, many = close, images + 1
    while many - few > 1:
        middle = (few + many) // 2
        possible = bdtr(close, middle, chance) > SIDE
        few, many = (middle, many) if possible else (few, middle)
    return few / images
