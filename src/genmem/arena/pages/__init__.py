"""Pages that draw on several apps.

views.py              list of competitions, one competition's front page, creating one
setup_views.py        a competition's settings, splits and roles, for its organizers
submission_views.py   a team's submissions, and one submission with its steps and scores
"""
