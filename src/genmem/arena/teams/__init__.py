"""Teams, their members, and who may see and do what in a competition.

models.py        Team, Membership, Invitation, Merge, Role
teams.py         rules: create, invite, join, leave, merge
roles.py         give and take the roles of organiser and reviewer
permissions.py   Viewer: what the current user may see and do
pseudonyms.py    stable pseudonyms of people and teams, for exports
"""
