"""Ratings of quality and diversity by people who do not see whose images they look at.

models.py        Round, Item, Rater, Page, Rating
questions.py     the two questions and their scales (pure)
assignment.py    which pages a rater is shown, in which order (pure)
reliability.py   the rule that marks a rater as unreliable (pure)
statistics.py    means with intervals, and agreement among raters (pure)
rounds.py        open and close a round; who may rate in it
round_images.py  the images of a round, as one picture per page
session.py       one rater's session: the next page, and its rating
results.py       the results of a round
forms.py         the form that opens a round
views.py         pages for raters and for organizers
"""
