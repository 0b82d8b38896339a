"""What `score` and `audit` found on copying, as `verdict_rule` judges it."""

from __future__ import annotations

from dataclasses import dataclass

from genmem.formatting import capitalize, count, share
from genmem.metrics.intervals import hypergeometric_tail
from genmem.results import Result, Yardstick
from genmem.scoring.exact_copies import ExactCopies
from genmem.yardstick.generator_shape import GeneratorShape

CHANCE = 0.025
"""Weak evidence is rarer than this without copies."""

NEAR_COPIES = 0.01
"""Without held-out images, a larger share of near-copies is suspicious. Of CIFAR-10's held-out
images, 0.1 % are near-copies: the data set contains duplicates."""

FEW_MATCHED = 2
"""Many images that match no more training images than this may be an image that the generator makes
again and again, and that is close by chance."""


@dataclass(frozen=True, kw_only=True)
class NearCopies:
    """Images more than three times nearer to one training image than to any other.

    Attributes:
        near, images: of the generated images, and all of them.
        test_near, test_images: of the held-out images; 0 of 0 without them.
        low: lower end of the 95 % interval of the share of generated ones.
        where: the feature space, as a clause: "in efficientnet-lite0".
        chance: so many must be rarer than this without copies.
        exact: exact copies, which are not counted here; 0 where they are.
    """

    near: int
    images: int
    test_near: int
    test_images: int
    low: float
    where: str
    chance: float = CHANCE
    exact: int = 0

    @property
    def p_value(self) -> float:
        """Of so many or more among the generated ones, if both sets hold equal shares (Fisher)."""
        if not self.near:
            return 1.0
        total, near = self.images + self.test_images, self.near + self.test_near
        return hypergeometric_tail(self.near, draws=self.images, marked=near, total=total)

    @property
    def suspicious(self) -> bool:
        """More than held-out images show; without these, more than the best data sets show."""
        if self.test_images:
            return self.near > 0 and self.p_value <= self.chance
        return self.low > NEAR_COPIES

    @property
    def sentence(self) -> str:
        """The finding."""
        images = f"{count(self.near, 'generated image')} ({share(self.near / self.images)})"
        are = "is" if self.near == 1 else "are"
        beside = (
            f"; of the held-out images {share(self.test_near / self.test_images)} are"
            if self.test_images
            else ""
        )
        besides = (
            f"Besides {count(self.exact, 'exact copy', 'exact copies')}, " if self.exact else ""
        )
        return (
            f"{besides}{images if besides else capitalize(images)} {are} {self.where} more than "
            f"three times nearer to one training image than to any other{beside}."
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What `score` or `audit` found.

    Attributes:
        images: generated images.
        same_as_train: the generated images are the training images.
        finding: the number of flagged images, as a sentence; empty where none are flagged one by
            one.
        flagged: images flagged one by one.
        matched: different training images that these match; None where that is not known.
        fraction: the copied fraction against held-out images; None where it cannot be estimated.
        of_left_out: the copied fraction against training images, each left out in turn.
        closer: images closer than every held-out image, and the probability of as many or more
            without copies; (0, 1) where that is not known.
        exact: exact copies; None without any.
        near: near-copies; None where they were not counted.
        shape: how the generated images lie as a whole.
        yardstick: whether held-out images can be compared with; None without them.
        missing: why nothing defines how close is too close, as a clause; empty where something
            does.
        too_few: why there are too few images, as a clause; empty where there are enough.
        missed: the kinds of copies that were not looked for.
        where: the feature spaces of `fraction` and `closer`, as a clause: "in efficientnet-lite0".
        where_shape: the one of `shape`.
        where_left_out: the one of `of_left_out`.
        bound: how many copies there can be, as measured with planted ones, as a sentence, or empty.
        shares: how the shares of copies in several spaces go together, as a sentence, or empty.
        spaces: feature spaces in each of which there is such evidence: what accuses in one of them
            must be so many times rarer.
    """

    images: int
    same_as_train: bool = False
    finding: str = ""
    flagged: int = 0
    matched: int | None = None
    fraction: Result | None = None
    of_left_out: Result | None = None
    closer: tuple[int, float] = (0, 1.0)
    exact: ExactCopies | None = None
    near: NearCopies | None = None
    shape: GeneratorShape | None = None
    yardstick: Yardstick | None = None
    missing: str = ""
    too_few: str = ""
    missed: str = ""
    where: str = ""
    where_shape: str = ""
    where_left_out: str = ""
    bound: str = ""
    shares: str = ""
    spaces: int = 1

    @property
    def yardstick_fails(self) -> bool:
        """Held-out images were tested, and cannot be compared with."""
        return self.yardstick is not None and not self.yardstick.holds

    @property
    def comparable(self) -> bool:
        """Honest images say how close is too close."""
        return not (self.same_as_train or self.missing or self.yardstick_fails)

    @property
    def only_series(self) -> bool:
        """Nothing but series of training images speaks against the yardstick."""
        return self.yardstick is not None and set(self.yardstick.failing) == {"series"}

    @property
    def unit(self) -> str:
        """What the copied fraction is a share of."""
        fraction = self.fraction
        in_groups = fraction is not None and fraction.n["generated"] < self.images
        return "groups of generated images" if in_groups else "generated images"

    @property
    def flagged_repeats(self) -> bool:
        """The flagged images match so few training images that they may be one image, repeated."""
        return self.matched is not None and self.matched <= FEW_MATCHED < self.flagged

    @property
    def close_repeats(self) -> bool:
        """The same of the images that are closer than held-out images ever are."""
        parts = self.fraction.parts if self.fraction is not None else {}
        below, matched = parts.get("below"), parts.get("train_images_below")
        fewest = parts.get("fewest_below")
        if not (isinstance(below, int) and isinstance(matched, int) and isinstance(fewest, int)):
            return False
        return matched <= FEW_MATCHED < below and below >= fewest
