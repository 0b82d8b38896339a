"""Forms about teams and roles."""

from __future__ import annotations

from django import forms

from genmem.arena.teams.models import Role


class TeamForm(forms.Form):
    """Create a team."""

    name = forms.CharField(
        label="Name of the team", max_length=60, help_text="Shown on the leaderboards."
    )


class InvitationForm(forms.Form):
    """Invite somebody by e-mail."""

    email = forms.EmailField(label="E-mail address")


class MergeForm(forms.Form):
    """Ask another team to merge."""

    name = forms.CharField(label="Name of the other team", max_length=60)


class RoleForm(forms.Form):
    """Give somebody a role."""

    email = forms.EmailField(label="E-mail address", help_text="Of an existing account.")
    role = forms.ChoiceField(choices=Role.ROLES)
