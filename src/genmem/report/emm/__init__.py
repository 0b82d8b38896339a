"""The page of `genmem study emm`.

page.py      the page
figures.py   its figures
text.py      its numbers as text
"""
