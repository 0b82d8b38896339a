"""What raters are asked, and the words of the scales; no Django here.

What is published of the original study is that 50,000 ratings of quality and of diversity were
collected; not the wording, the scale, the number of images or the controls. Chosen here:

- Two questions, asked apart, each on a page of its own: quality of single images (a small grid,
  so that each image is looked at) and diversity of the set (a larger grid). All pages of one
  question come together, since raters who switch between questions mix them up; half of the raters
  begin with the one, half with the other.
- Five categories with words, those of absolute category rating (ITU-T P.910) for quality.
- A page shows the images of one entry and nothing about it: no team, no name, no score.
"""

from __future__ import annotations

from dataclasses import dataclass

SCALE = (1, 2, 3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question.

    Attributes:
        name: in data and addresses.
        title: as a heading.
        asked: the question itself.
        help: what to look at and what not.
        words: of 1 to 5.
    """

    name: str
    title: str
    asked: str
    help: str
    words: tuple[str, str, str, str, str]

    @property
    def scale(self) -> list[tuple[int, str]]:
        """Each value with its word."""
        return list(zip(SCALE, self.words, strict=True))


QUALITY = Question(
    name="quality",
    title="Quality",
    asked="How good are these images, taken one by one?",
    help="Whether each looks like a real image: shapes, parts, texture. Whether they differ from "
    "each other does not matter here.",
    words=("Bad", "Poor", "Fair", "Good", "Excellent"),
)
DIVERSITY = Question(
    name="diversity",
    title="Diversity",
    asked="How varied are these images, taken together?",
    help="Whether they show different things, poses, colours and backgrounds. Whether they look "
    "real does not matter here.",
    words=("All alike", "Mostly alike", "Somewhat varied", "Varied", "Very varied"),
)
QUESTIONS = {one.name: one for one in (QUALITY, DIVERSITY)}
