"""Output files and folders that appear complete or not at all, open files, standard streams.

atomic.py          files: check that they can be written; write them atomically
closable.py        what holds files open until it is closed
documents.py       frozen dataclasses that are stored as JSON files
npy.py             .npy files: headers, and arrays that may be damaged
npz_layouts.py     what the arrays of an .npz file are, by their names; whose statistics they are
paths.py           paths: never empty, `~` expanded; the folder of temporary files
result_folder.py   folders with a page, its numbers and its images
streams.py         stdout and stderr in any encoding
urls.py            what of a URL may be shown
"""
