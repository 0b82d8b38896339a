"""Competitions, and the public and private split each is scored on."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from genmem.arena.core import clock

FORMATS = ("png", "jpeg", "webp", "bmp")
"""Image formats that a competition may accept."""


class Competition(models.Model):
    """A competition: what teams submit, until when, and how often.

    Attributes:
        merge_until: deadline for joining teams and merging teams.
        daily_limit: counted submissions per team and UTC day.
        final_count: final submissions a team may choose for the private leaderboard.
        private_open: whether everybody sees the private leaderboard.
        wall_seconds, memory_bytes: limits of one run of submitted code.
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
        """Return "upcoming", "open" (to the deadline, inclusive) or "closed" by the clock."""
        now = clock.now()
        if now < self.opens_at:
            return "upcoming"
        return "open" if now <= self.closes_at else "closed"

    def may_regroup(self) -> bool:
        """Return whether people may still join teams, and teams merge."""
        return clock.now() <= min(self.merge_until, self.closes_at)


class Split(models.Model):
    """How one leaderboard is scored. A change adds a row; the newest version is in force.

    Attributes:
        weights: path of a weights file; "" for the backbone's default weights.
        train: path of the training images.
        reference: path of the images that FD compares with; "" means `train`.
        tau, epsilon: threshold τ and ε of the memorization penalty.
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
        """Return the kind, capitalized."""
        return dict(self.KINDS)[self.kind]

    def save(self, *args: object, **kwargs: object) -> None:
        """Add the row; TypeError for an existing one, since scores refer to it."""
        if not self._state.adding:
            raise TypeError("a split never changes: add a new version")
        super().save(*args, **kwargs)  # type: ignore[arg-type]


def split_in_force(competition: Competition, kind: str) -> Split | None:
    """Return the newest version of a competition's public or private split; None if not set up."""
    return Split.objects.filter(competition=competition, kind=kind).order_by("-version").first()
