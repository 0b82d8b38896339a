"""The append-only log of every change that people make.

models.py   LogEntry
log.py      add an entry, or an entry with the fields that differ
"""
