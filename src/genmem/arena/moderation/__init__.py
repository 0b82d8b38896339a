"""Reviews of submissions, decisions about them, and changes of the threshold τ.

models.py            Label, Note, Rebuttal, Answer: all append-only
consensus.py         what the labels of one submission amount to (pure)
queue.py             which submissions to review next (pure)
selectors.py         the queue and the consensus of a competition, from the database
reviews.py           add labels and notes
decisions.py         disqualify, reinstate, rebut, answer
gallery.py           the images nearest to training images
source_view.py       submitted code and its log, as text
histogram.py         histogram of memorization distances by label; thresholds that labels suggest
threshold_preview.py the leaderboard at another τ
change_threshold.py  put another τ in force
permissions.py       decorators: views for reviewers, views for organizers
views.py             pages: queue, decisions, audit log
review_views.py      pages: the review of one submission
distance_views.py    pages: distances and the threshold
"""
