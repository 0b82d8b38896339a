"""Demos on scikit-learn's digits, which need no download.

digits.py             an honest and a copying generator of digits
terminal_pictures.py  small pictures on a terminal
arena.py              build the demo's arena
arena_submissions.py  what teams submit to its competitions
arena_contents.py     fill the arena: people, competitions, submissions, reviews
"""
