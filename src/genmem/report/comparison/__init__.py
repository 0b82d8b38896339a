"""The comparison of several models: a table to read or to paste, and a page.

tables.py  values, intervals and ranks as text: for a terminal, Markdown and LaTeX
page.py    the HTML page
"""
