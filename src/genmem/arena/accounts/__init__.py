"""Accounts, teams with invitations and merges, roles, and who may see what."""
