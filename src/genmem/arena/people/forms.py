"""Forms about people."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest

from genmem.arena.people.models import Role, User


class SignupNameForm(forms.Form):
    """What signing up asks beside address and password."""

    display_name = forms.CharField(
        label="Your name", max_length=60, help_text="Your team and the organisers see it."
    )
    field_order = ("display_name", "email", "password1", "password2")

    def signup(self, request: HttpRequest, user: User) -> None:
        """Keep the name."""
        user.display_name = self.cleaned_data["display_name"]
        user.save()


class NameForm(forms.ModelForm):
    """Changing one's name."""

    class Meta:
        model = User
        fields = ("display_name",)
        labels = {"display_name": "Your name"}
        help_texts = {"display_name": "Your team and the organisers see it."}


class TokenForm(forms.Form):
    """Making a token."""

    name = forms.CharField(
        label="What it is for", max_length=60, help_text="Such as the machine it is used on."
    )


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
