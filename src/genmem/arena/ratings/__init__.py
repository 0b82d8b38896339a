"""Ratings of quality and diversity by people who do not see whose images they look at."""
