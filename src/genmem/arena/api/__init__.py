"""The REST API: read-only but for final submissions. Files are uploaded by tus.

routes.py    all routes
schemas.py   the JSON that routes return
auth.py      tokens, and rate limits
docs.py      the documentation page
"""
