"""Forms of accounts and API tokens."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest

from genmem.arena.accounts.models import User


class SignupNameForm(forms.Form):
    """The field that sign-up adds to address and password."""

    display_name = forms.CharField(
        label="Your name", max_length=60, help_text="Your team and the organizers see it."
    )
    field_order = ("display_name", "email", "password1", "password2")

    def signup(self, request: HttpRequest, user: User) -> None:
        """Save the name."""
        user.display_name = self.cleaned_data["display_name"]
        user.save()


class NameForm(forms.ModelForm):
    """Change the display name."""

    class Meta:
        model = User
        fields = ("display_name",)
        labels = {"display_name": "Your name"}
        help_texts = {"display_name": "Your team and the organizers see it."}


class TokenForm(forms.Form):
    """Create an API token."""

    name = forms.CharField(
        label="What it is for", max_length=60, help_text="For example, the machine that uses it."
    )
