"""Teams, their members, and who may see and do what in a competition.

models.py            Team, Membership, Invitation, MergeRequest, Role
teams.py             rules: create, invite, join, leave, merge
invitation_mail.py   the mail that invites somebody
roles.py             give and revoke the roles of organizer and reviewer
permissions.py       Viewer: what the current user may see and do
pseudonyms.py        stable pseudonyms of people and teams, for exports
"""
