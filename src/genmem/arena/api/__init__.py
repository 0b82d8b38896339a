"""The programming interface, below /api/: what the command line and other programs speak to.

    routes.py     every route
    answers.py    what they answer with
    guarding.py   who asks (a token, or the cookie of a browser that only reads), and how often
    docs.py       all of it as a page, made from the OpenAPI document

Files come in by the tus protocol (submissions/tus.py), which takes the same tokens.
"""
