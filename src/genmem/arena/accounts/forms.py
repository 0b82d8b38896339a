"""Forms about people."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest

from genmem.arena.accounts.models import User


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
