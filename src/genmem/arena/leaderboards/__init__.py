"""Scores, leaderboards and final submissions.

models.py            ScoreVersion, Decision (append-only), Final
scores.py            read the scores in force, write new score versions
disqualification.py  which submissions are disqualified
ranking.py           the ranking rule (pure)
history.py           how ranks changed over time (pure)
finals.py            which submissions count as final; choosing them
leaderboard.py       the public and the private leaderboard, and a team's rank history
cache.py             in-process cache, valid until the database changes
views.py             pages: leaderboards, rank history, choice of finals
"""
