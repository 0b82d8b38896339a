"""What all pages share.

templates.py    the Jinja environment; a page as bytes and as a file
tables.py       a table of text
verdict.py      the verdict above a page
next_steps.py   what a reader of an audit should do
images.py       pictures, and groups of pictures beside each other
plotting.py     matplotlib figures, as files and inline SVG
histogram.py    histograms of distances as SVG paths
provenance.py   inputs, versions, times
terminal.py     tables on the terminal
"""
