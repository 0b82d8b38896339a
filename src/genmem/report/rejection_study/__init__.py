"""The page of `genmem study rejection`.

page.py      the page
figures.py   its figures
text.py      its findings and tables
"""
