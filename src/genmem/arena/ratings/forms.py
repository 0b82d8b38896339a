"""The form with which an organizer opens a round."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from genmem.arena.accounts.models import User
from genmem.arena.ratings.models import Round

DEFAULT_TOP = 20
"""Teams of the private leaderboard whose submissions are rated by default."""


class RoundForm(forms.ModelForm):
    """A new round. `cleaned_data["people"]`: the invited users."""

    top = forms.IntegerField(
        label="Top teams of the private leaderboard",
        initial=DEFAULT_TOP,
        min_value=1,
        max_value=1000,
        help_text="The best submission of each of these teams is rated.",
    )
    listed = forms.CharField(
        label="Or these submissions",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Submission IDs, one per line, instead of the leaderboard's.",
    )
    addresses = forms.CharField(
        label="Invited people",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="E-mail addresses of accounts, one per line; for the last choice only.",
    )

    class Meta:
        model = Round
        fields = (
            "title", "audience", "ratings_wanted", "pages", "quality_grid", "diversity_grid",
            "controls",
        )  # fmt: skip
        widgets = {"audience": forms.RadioSelect}
        labels = {
            "audience": "Raters",
            "ratings_wanted": "Ratings per submission",
            "pages": "Submissions per rater",
            "quality_grid": "Quality: images per row",
            "diversity_grid": "Diversity: images per row",
            "controls": "Show real and spoiled images among them",
        }
        help_texts = {
            "title": "Shown to raters.",
            "ratings_wanted": "Per question, by reliable raters.",
            "pages": "Per question, at most; a page takes about 10 s.",
            "quality_grid": "3 makes a page of 9 images.",
            "diversity_grid": "6 makes a page of 36 images.",
            "controls": "From the public split's training images. They show which raters look.",
        }

    def clean_listed(self) -> list[uuid.UUID]:
        """Parse the submission IDs."""
        ids = []
        for word in self.cleaned_data["listed"].split():
            try:
                ids.append(uuid.UUID(word))
            except ValueError:
                raise ValidationError(f"Expected submission IDs, got {word[:40]}.") from None
        return ids

    def clean(self) -> dict[str, Any]:
        """Find the invited users."""
        data = super().clean() or self.cleaned_data
        data["people"] = []
        if data.get("audience") != "invited":
            return data
        for address in data.get("addresses", "").replace(",", " ").split():
            user = User.objects.filter(email__iexact=address).first()
            if user is None:
                self.add_error("addresses", f"No account has the address {address}.")
            else:
                data["people"].append(user)
        if not data["people"] and not self.has_error("addresses"):
            self.add_error("addresses", "Enter at least one address, or choose other raters.")
        return data
