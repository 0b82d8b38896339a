"""Competitions and their sides: what is asked, until when, and how it is scored."""
