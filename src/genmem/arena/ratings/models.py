"""Rating rounds, their items and raters, the pages shown to raters, and the ratings."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.models import AppendOnly
from genmem.arena.ratings.assignment import REAL, SPOILED, SUBMISSION
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.submissions.models import Submission

AUDIENCES = (
    ("everybody", "Everybody who is signed in"),
    ("judges", "Reviewers and organizers"),
    ("invited", "The people named below"),
)


class Round(models.Model):
    """One collection of ratings of chosen submissions.

    Attributes:
        audience: who may rate.
        invited: the raters of the audience "invited".
        ratings_wanted: per submission and question, by raters not marked as unreliable.
        pages: maximum number of submissions that one rater is shown per question.
        quality_grid, diversity_grid: images along one side of the square grid on a page.
        controls: whether real and spoiled images are shown among the others.
        seed: of everything random.
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
    quality_grid = models.PositiveIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    diversity_grid = models.PositiveIntegerField(
        default=6, validators=[MinValueValidator(2), MaxValueValidator(10)]
    )
    controls = models.BooleanField(default=True)
    seed = models.BigIntegerField()
    opened_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title

    def grid_size(self, question: str) -> int:
        """Images along one side of the grid."""
        return self.quality_grid if question == "quality" else self.diversity_grid


class Item(models.Model):
    """What is rated: a submission or a control. `available`: how many of its images are used."""

    KINDS = ((SUBMISSION, "Submission"), (REAL, "Real images"), (SPOILED, "Spoiled images"))

    round = models.ForeignKey(Round, models.PROTECT, related_name="items")
    kind = models.CharField(max_length=10, choices=KINDS)
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
        return str(self.submission or dict(self.KINDS)[self.kind])


class Rater(models.Model):
    """Somebody who rates in a round.

    Attributes:
        number: from 1, in order of joining; raters with even numbers begin with diversity.
        named: whether published data may show their name.
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
    """One page as drawn for one rater. It is deleted if its rating does not come in time.

    Attributes:
        position: in the rater's plan, from 0.
        images: which of the item's images it shows, in order.
        token: part of its URL, secret to the rater.
        repeats: the page whose images it shows again.
    """

    rater = models.ForeignKey(Rater, models.PROTECT, related_name="rated_pages")
    question = models.CharField(max_length=9, choices=[(name, name) for name in QUESTIONS])
    item = models.ForeignKey(Item, models.PROTECT, related_name="shown_on")
    position = models.PositiveIntegerField()
    images = models.JSONField()
    token = models.CharField(max_length=43, unique=True)
    repeats = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="again")
    shown_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["rater", "position"], name="one_page_per_position"),
        )

    def __str__(self) -> str:
        return f"{self.question} of {self.item}, for {self.rater}"

    @property
    def number(self) -> int:
        """Its position in the rater's session, from 1."""
        return self.position + 1


class Rating(AppendOnly):
    """A rater's answer on a page; it never changes."""

    page = models.OneToOneField(Page, models.PROTECT, related_name="rating")
    value = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        constraints = (
            models.CheckConstraint(condition=models.Q(value__range=(1, 5)), name="value_on_scale"),
        )

    def __str__(self) -> str:
        return f"{self.value} for {self.page}"

    @property
    def seconds(self) -> float:
        """Time from drawing the page to the rating, in seconds, by the server's clock."""
        return (self.at - self.page.shown_at).total_seconds()
