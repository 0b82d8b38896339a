"""Data of the demos: scikit-learn's digits, honest and copied.

digits.py          an honest and a copying generator of digits
arena_entries.py   entries for the demo competition
"""
