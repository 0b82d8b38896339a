"""User accounts and API tokens.

adapter.py      django-allauth's adapter: who may sign up
organizers.py   give an account the right to run the whole site
tokens.py       API tokens: create, look up, revoke
"""
