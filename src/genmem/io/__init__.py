"""Output files and folders that appear complete or not at all.

atomic.py          files: check that they can be written; write them atomically
result_folder.py   folders with a page, its numbers and its images
"""
