"""What all pages share.

plotting.py     figures: as files and inline SVG
templates.py    the Jinja environment
gallery.py      pairs of images
provenance.py   versions, inputs, digests
"""
