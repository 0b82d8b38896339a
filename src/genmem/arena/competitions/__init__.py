"""Competitions and their splits: what is asked, until when, and how it is scored."""
