"""What a comparison could have found: the smallest share of copies, and kinds that it misses."""

from __future__ import annotations

from collections.abc import Sequence

from genmem.results import Result

POWER = 0.95
"""The probability with which the smallest detectable share would have been told from none."""


def fewest_copies(result: Result, *, power: float = POWER) -> int | None:
    """So many perfect copies would have been told from none, given this generator's distances.

        P(c + B ≥ k) ≥ power,   B ~ Binomial(n − c, K / n)

    k is the smallest number below the threshold whose interval would exclude 0, and K the number
    that `copied_fraction` saw below it, here taken as honest ones. A generator whose honest images
    lie farther off than held-out ones (K small) needs more copies.

    Args:
        result: of `copied_fraction`, whose interval holds 0.
        power: that probability.

    Returns:
        c, or None where not even all of the n images would do.
    """
    fewest, below = result.parts.get("fewest_below"), result.parts.get("below")
    if not isinstance(fewest, int) or not isinstance(below, int):
        return None
    images = result.n["generated"]
    few, many = 0, images + 1
    while many - few > 1:
        middle = (few + many) // 2
        if _at_least(fewest - middle, images - middle, below / images) >= power:
            many = middle
        else:
            few = middle
    return many if many <= images else None


def _at_least(k: int, n: int, share: float) -> float:
    """P(Binomial(n, share) ≥ k)."""
    from scipy.special import betainc  # not at the top: web servers load this module

    if k <= 0:
        return 1.0
    return 0.0 if k > n else float(betainc(k, n - k + 1, share))


def missed_kinds(spaces: Sequence[str], *, parts: bool = False) -> str:
    """Which copies a comparison in these spaces does not look for, as a list in words.

    `docs/detection.md` has the measurements.

    Args:
        spaces: names of feature spaces.
        parts: parts of images were searched, too.
    """
    pixels = [name for name in spaces if name.startswith("pixels")]
    features = len(pixels) < len(spaces)
    missed = []
    if not pixels:
        missed.append("blurred, noisy, pixelated or overlaid copies")
    if not features:
        missed.append("mirrored, shifted, rotated or cropped copies")
    if not parts:
        missed.append("parts of images (cut out, pasted or strongly cropped)")
        if features:
            missed.append("copies turned by a quarter")
    return ", ".join(missed) if missed else "copies altered beyond recognition"
