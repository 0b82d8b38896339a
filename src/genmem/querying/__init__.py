"""One or a few images asked against a reference: what they are nearest to, and how near that is.

query.py     `query`: nearest training images in each space, with held-out images as the measure
results.py   `Query` and what it holds
search.py    the search of one space, and the held-out distances to compare with
sources.py   the images: files, or whatever `open_images` takes; few
pictures.py  which of the nearest training images show the same picture, by thumbnails
"""

from genmem.querying.query import query
from genmem.querying.results import Query

__all__ = ["Query", "query"]
