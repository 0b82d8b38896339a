"""Competitions, and the two splits each is scored on."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from genmem.arena.core import clock

FORMATS = ("png", "jpeg", "webp", "bmp")
"""Formats of images that a competition may ask for."""


class Competition(models.Model):
    """What is asked of the teams, until when, and how many times.

    Attributes:
        merge_until: until then people join teams and teams merge.
        daily_limit: submissions a team may have counted on one UTC day.
        final_count: how many submissions a team may choose for the private board.
        private_open: whether everybody sees the private board.
        wall_seconds, memory_bytes: what one run of submitted code may take.
    """

    slug = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=120)
    rules = models.TextField(blank=True)
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    merge_until = models.DateTimeField()
    image_count = models.PositiveIntegerField(
        default=10_000, validators=[MinValueValidator(2), MaxValueValidator(1_000_000)]
    )
    image_width = models.PositiveIntegerField(
        default=64, validators=[MinValueValidator(1), MaxValueValidator(4096)]
    )
    image_height = models.PositiveIntegerField(
        default=64, validators=[MinValueValidator(1), MaxValueValidator(4096)]
    )
    image_formats = models.JSONField(default=list)
    daily_limit = models.PositiveIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    final_count = models.PositiveIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    maximum_upload_bytes = models.BigIntegerField(
        default=500_000_000, validators=[MinValueValidator(1000)]
    )
    private_open = models.BooleanField(default=False)
    accepts_images = models.BooleanField(default=True)
    accepts_code = models.BooleanField(default=False)
    wall_seconds = models.PositiveIntegerField(
        default=9 * 3600, validators=[MinValueValidator(1), MaxValueValidator(30 * 86_400)]
    )
    memory_bytes = models.BigIntegerField(default=8 * 2**30, validators=[MinValueValidator(2**26)])
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return self.title

    def phase(self) -> str:
        """By the server's clock: "upcoming", "open" or "closed". The deadline itself is open."""
        moment = clock.now()
        if moment < self.opens_at:
            return "upcoming"
        return "open" if moment <= self.closes_at else "closed"

    def may_regroup(self) -> bool:
        """Whether people may still join teams, and teams merge."""
        return clock.now() <= min(self.merge_until, self.closes_at)


class Split(models.Model):
    """How one board is scored. A change is a new row; the newest version is in force.

    Attributes:
        weights: a file of weights; "" for the backbone's own.
        train: path of the training images.
        reference: path of the set the Fréchet distance is taken against; "" = `train`.
        tau, epsilon: of the penalty for copying.
    """

    KINDS = (("public", "Public"), ("private", "Private"))

    competition = models.ForeignKey(Competition, models.PROTECT, related_name="splits")
    kind = models.CharField(max_length=7, choices=KINDS)
    backbone = models.CharField(max_length=200)
    weights = models.CharField(max_length=1000, blank=True)
    train = models.CharField(max_length=1000)
    reference = models.CharField(max_length=1000, blank=True)
    tau = models.FloatField(default=0.1)
    epsilon = models.FloatField(default=1e-15)
    version = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["competition", "kind", "version"], name="one_split_per_version"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} split, version {self.version}"

    def get_kind_display(self) -> str:
        """The kind as a word to begin a sentence with."""
        return dict(self.KINDS)[self.kind]

    def save(self, *args: object, **kwargs: object) -> None:
        """Add the row; an existing one never changes, since scores refer to it."""
        if not self._state.adding:
            raise TypeError("a split never changes: add a new version")
        super().save(*args, **kwargs)  # type: ignore[arg-type]


def split_in_force(competition: Competition, kind: str) -> Split | None:
    """The newest version of a competition's public or private split."""
    return Split.objects.filter(competition=competition, kind=kind).order_by("-version").first()
