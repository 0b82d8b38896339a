"""Teams, invitations, merges and roles.

models.py   Team, Membership, Invitation, Merge, Role
teams.py    form, join, leave and merge teams
roles.py    roles in a competition
access.py   who may see and do what
forms.py, views.py, urls.py   the pages
"""
