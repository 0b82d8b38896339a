"""What all apps of the arena share.

configuration.py   `arena.toml`: reading, checking, creating
clock.py           the server's clock, which deadlines are held to
context.py         template variables of every page
errors.py          error pages
formatting.py      times, sizes, durations and scores as text, and back
forms.py           form fields for sizes and durations
heartbeat.py       which tasks of a process make no progress
markdown.py        Markdown to sanitized HTML
middleware.py      security headers
models.py          append-only models
templatetags/      the same formatting as template filters
"""
