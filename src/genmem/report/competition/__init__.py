"""The page of `genmem analyze`.

page.py      the page
figures.py   its figures
tables.py    its tables
"""
