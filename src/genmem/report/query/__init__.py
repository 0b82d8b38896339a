"""The table and the page of `genmem query`.

text.py   the finding on an image in a sentence, and the table
page.py   the page with pictures
"""
