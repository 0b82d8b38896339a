"""Forms about teams and roles."""

from __future__ import annotations

from django import forms

from genmem.arena.teams.models import Role


class TeamForm(forms.Form):
    """Making a team."""

    name = forms.CharField(
        label="Name of the team", max_length=60, help_text="It is shown on the boards."
    )


class InvitationForm(forms.Form):
    """Inviting somebody."""

    email = forms.EmailField(label="E-mail address")


class MergeForm(forms.Form):
    """Asking another team to merge."""

    name = forms.CharField(label="Name of the other team", max_length=60)


class RoleForm(forms.Form):
    """Giving somebody a role."""

    email = forms.EmailField(
        label="E-mail address", help_text="Of somebody who has an account here."
    )
    role = forms.ChoiceField(choices=Role.ROLES)
