"""What an organiser fills in to open a round."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from genmem.arena.accounts.models import User
from genmem.arena.ratings.models import AUDIENCES, Round
from genmem.arena.ratings.rounds import Terms

TOP = 20
"""Teams of the private board whose submissions are rated, unless told otherwise."""


class RoundForm(forms.ModelForm):
    """A new round."""

    top = forms.IntegerField(
        label="Places of the private board",
        initial=TOP,
        min_value=1,
        max_value=1000,
        help_text="Rated is the submission that holds each place.",
    )
    listed = forms.CharField(
        label="Or these submissions",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Their numbers, one a line, in place of the board's.",
    )
    audience = forms.ChoiceField(
        label="Who rates", choices=AUDIENCES, initial="everybody", widget=forms.RadioSelect
    )
    addresses = forms.CharField(
        label="People",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="E-mail addresses of accounts here, one a line; for the last choice only.",
    )

    class Meta:
        model = Round
        fields = (
            "title", "ratings_wanted", "pages", "quality_side", "diversity_side", "controls",
        )  # fmt: skip
        labels = {
            "ratings_wanted": "Ratings of each submission",
            "pages": "Submissions per rater",
            "quality_side": "Quality: images a side",
            "diversity_side": "Diversity: images a side",
            "controls": "Show real and spoiled images among them",
        }
        help_texts = {
            "title": "Raters see it.",
            "ratings_wanted": "Per question, by reliable raters.",
            "pages": "Per question, at most; a page takes about 10 s.",
            "quality_side": "3 is a page of 9 images.",
            "diversity_side": "6 is a page of 36 images.",
            "controls": "From the public split's training images. They show which raters look.",
        }

    def clean_listed(self) -> list[uuid.UUID]:
        """Numbers of submissions."""
        found = []
        for word in self.cleaned_data["listed"].split():
            try:
                found.append(uuid.UUID(word))
            except ValueError:
                raise ValidationError(
                    f"Expected numbers of submissions, got {word[:40]}."
                ) from None
        return found

    def clean(self) -> dict[str, Any]:
        """Find the people who are invited."""
        found = super().clean() or self.cleaned_data
        found["people"] = []
        if found.get("audience") != "invited":
            return found
        for address in found.get("addresses", "").replace(",", " ").split():
            user = User.objects.filter(email__iexact=address).first()
            if user is None:
                self.add_error("addresses", f"Nobody here has the address {address}.")
            else:
                found["people"].append(user)
        if not found["people"] and not self.has_error("addresses"):
            self.add_error("addresses", "Name somebody, or choose who else rates.")
        return found

    def terms(self) -> Terms:
        """What a valid form says."""
        given = self.cleaned_data
        return Terms(
            audience=given["audience"],
            invited=given["people"],
            **{name: given[name] for name in self.Meta.fields},
        )
