"""The page and files of `genmem duplicates`.

page.py     the folder and the page
tables.py   delete.txt and the CSV tables
"""
