"""The form that uploads a submission without JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms

from genmem.arena.competitions.models import Competition
from genmem.arena.submissions.models import KINDS


class SubmissionForm(forms.Form):
    """A zip, its kind, and optionally its SHA-256."""

    kind = forms.ChoiceField(label="What is in the zip", choices=KINDS, widget=forms.RadioSelect)
    file = forms.FileField(
        label="Zip file", widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"})
    )
    sha256 = forms.RegexField(
        label="SHA-256",
        regex=r"^\s*[0-9A-Fa-f]{64}\s*$",
        required=False,
        help_text="64 hexadecimal digits. The file is refused if its hash differs.",
        error_messages={"invalid": "Expected 64 hexadecimal digits, as sha256sum prints them."},
    )

    def __init__(self, *args: Any, competition: Competition, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accepted = [
            (kind, label)
            for kind, label in KINDS
            if {"images": competition.accepts_images, "code": competition.accepts_code}[kind]
        ]
        field: Any = self.fields["kind"]
        field.choices = accepted
        field.initial = accepted[0][0] if accepted else None
        if len(accepted) == 1:
            field.widget = forms.HiddenInput()
