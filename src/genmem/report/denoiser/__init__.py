"""The page of `genmem study denoiser`.

page.py      the page
figures.py   its figures
"""
