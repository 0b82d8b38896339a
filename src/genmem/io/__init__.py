"""Files that are written whole or not at all.

atomic.py          files
result_folder.py   folders of results
"""
