"""The append-only log of every change that people make.

models.py   LogEntry
log.py      record an entry, or the fields that differ
"""
