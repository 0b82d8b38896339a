"""The questions that raters answer, and their scales; no Django here.

What was published about the original study is that 50,000 ratings of quality and diversity were
collected, but not the wording, the scale, the number of images or the controls. The choices here:

- Two questions on separate pages: quality of single images (a small grid, so that each image is
  looked at) and diversity of the set (a larger grid). All pages of one question come together,
  since raters who switch between questions confuse them; half of the raters begin with either.
- Five categories with words; for quality, those of absolute category rating (ITU-T P.910).
- A page shows the images of one submission and nothing about it: no team, name or score.
"""

from __future__ import annotations

from dataclasses import dataclass

SCALE = (1, 2, 3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question.

    Attributes:
        name: in data and URLs.
        title: as a heading.
        text: the question.
        help: what to consider and what to ignore.
        words: for the values 1 to 5.
    """

    name: str
    title: str
    text: str
    help: str
    words: tuple[str, str, str, str, str]

    @property
    def scale(self) -> list[tuple[int, str]]:
        """Each value with its word."""
        return list(zip(SCALE, self.words, strict=True))


QUALITY = Question(
    name="quality",
    title="Quality",
    text="How good are these images, taken one by one?",
    help="Consider whether each looks like a real image: shapes, parts, texture. Ignore whether "
    "they differ from each other.",
    words=("Bad", "Poor", "Fair", "Good", "Excellent"),
)
DIVERSITY = Question(
    name="diversity",
    title="Diversity",
    text="How varied are these images, taken together?",
    help="Consider whether they show different things, poses, colors and backgrounds. Ignore "
    "whether they look real.",
    words=("All alike", "Mostly alike", "Somewhat varied", "Varied", "Very varied"),
)
QUESTIONS = {question.name: question for question in (QUALITY, DIVERSITY)}
