"""Rounds of rating, who rates in them, the pages they are shown, and the ratings they give."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.models import AppendOnly
from genmem.arena.ratings.assignment import ENTRY, REAL, SPOILED
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.submissions.models import Submission

AUDIENCES = (
    ("everybody", "Everybody who is signed in"),
    ("judges", "Reviewers and organisers"),
    ("invited", "The people named below"),
)


class Round(models.Model):
    """One collection of ratings of chosen submissions.

    Attributes:
        audience: who may rate; `invited` only counts for "invited".
        ratings_wanted: of every submission and question, by raters not marked as unreliable.
        pages: submissions that one rater is shown per question, at most.
        quality_side, diversity_side: images along one side of the square grids.
        controls: whether real and spoiled images are shown among the others.
        seed: of everything drawn.
        closed_at: null while it is open.
    """

    competition = models.ForeignKey(Competition, models.PROTECT, related_name="rating_rounds")
    title = models.CharField(max_length=120)
    audience = models.CharField(max_length=9, choices=AUDIENCES, default="everybody")
    invited = models.ManyToManyField(User, blank=True, related_name="+")
    ratings_wanted = models.PositiveIntegerField(
        default=15, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    pages = models.PositiveIntegerField(
        default=20, validators=[MinValueValidator(1), MaxValueValidator(200)]
    )
    quality_side = models.PositiveIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    diversity_side = models.PositiveIntegerField(
        default=6, validators=[MinValueValidator(2), MaxValueValidator(10)]
    )
    controls = models.BooleanField(default=True)
    seed = models.BigIntegerField()
    opened_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title

    def split_of(self, question: str) -> int:
        """Images along one side of the grid."""
        return self.quality_side if question == "quality" else self.diversity_side


class Item(models.Model):
    """What is rated: a submission, or a control; `available` images were drawn from it."""

    KINDS = ((ENTRY, "Submission"), (REAL, "Real images"), (SPOILED, "Spoiled images"))

    round = models.ForeignKey(Round, models.PROTECT, related_name="items")
    kind = models.CharField(max_length=7, choices=KINDS)
    submission = models.ForeignKey(
        Submission, models.PROTECT, null=True, blank=True, related_name="rating_items"
    )
    available = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["round", "submission"], name="one_item_per_submission"),
            models.UniqueConstraint(
                fields=["round", "kind"],
                condition=models.Q(submission=None),
                name="one_control_of_a_kind",
            ),
        )

    def __str__(self) -> str:
        return str(self.submission) if self.submission else self.get_kind_display()

    def get_kind_display(self) -> str:
        """The kind as a word."""
        return dict(self.KINDS)[self.kind]


class Rater(models.Model):
    """Somebody who rates in a round.

    Attributes:
        number: from 1, in the order they came; every second one begins with diversity.
        named: whether their name may stand beside their ratings in what is published.
        unreliable: by the rule of `reliability`, as of their last rating.
    """

    round = models.ForeignKey(Round, models.PROTECT, related_name="raters")
    user = models.ForeignKey(User, models.PROTECT, related_name="raters")
    number = models.PositiveIntegerField()
    named = models.BooleanField(default=False)
    unreliable = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["round", "user"], name="one_rater_per_person"),
            models.UniqueConstraint(fields=["round", "number"], name="one_rater_per_number"),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.round}"


class Page(models.Model):
    """One page as it was drawn for one rater; its rating follows, or it lapses.

    Attributes:
        place: its position in the rater's plan.
        images: which of the item's images it shows, in order.
        token: its address; of this rater and page only.
        repeats: the page whose images it shows once more.
    """

    rater = models.ForeignKey(Rater, models.PROTECT, related_name="rated_pages")
    question = models.CharField(max_length=9, choices=[(name, name) for name in QUESTIONS])
    item = models.ForeignKey(Item, models.PROTECT, related_name="shown_on")
    place = models.PositiveIntegerField()
    images = models.JSONField()
    token = models.CharField(max_length=43, unique=True)
    repeats = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="again")
    shown_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["rater", "place"], name="one_page_per_place"),
        )

    def __str__(self) -> str:
        return f"{self.question} of {self.item}, for {self.rater}"


class Rating(AppendOnly):
    """What a rater gave a page: once, and for good."""

    page = models.OneToOneField(Page, models.PROTECT, related_name="rating")
    value = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        constraints = (
            models.CheckConstraint(condition=models.Q(value__range=(1, 5)), name="value_on_scale"),
        )

    def __str__(self) -> str:
        return f"{self.value} for {self.page}"
