"""Forms of competitions and splits: one set of rules for the browser and for YAML."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from genmem.arena.competitions.models import FORMATS, Competition, Split
from genmem.arena.core.forms import duration_field, size_field
from genmem.errors import GenmemError

MAX_RULES = 100_000
"""Characters of a competition's rules, which every visit of its page renders."""

_DATES = ("opens_at", "merge_until", "closes_at")


def default_of(model: type[models.Model], name: str) -> Any:
    """Return the default of a model's field; None where it has none."""
    field: Any = model._meta.get_field(name)
    return field.get_default() if field.has_default() else None


def _date_field(label: str, help_text: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(
        attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"
    )
    return forms.DateTimeField(label=label, help_text=help_text, widget=widget)


class CompetitionForm(forms.ModelForm):
    """A competition's settings without its splits."""

    time_zone = forms.ChoiceField(
        label="Time zone of these dates",
        help_text="Pages show them in UTC.",
    )
    opens_at = _date_field("Opens", "Submissions are accepted from then on.")
    merge_until = _date_field("Teams merge until", "Also the deadline for joining a team.")
    closes_at = _date_field("Closes", "The last second in which a submission is accepted.")
    image_formats = forms.MultipleChoiceField(
        label="Formats",
        choices=[(name, name.upper()) for name in FORMATS],
        widget=forms.CheckboxSelectMultiple,
        initial=["png"],
    )
    rules = forms.CharField(
        required=False,
        max_length=MAX_RULES,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text="Markdown. An explanation of the ranking is added below.",
    )
    maximum_upload_bytes = size_field("Size of one zip, such as 500 MB.")
    wall_seconds = duration_field("Of one run of submitted code, such as 9 h.")
    memory_bytes = size_field("Of one run of submitted code, such as 8 GiB.")

    class Meta:
        model = Competition
        fields = (
            "title", "slug", "rules", "opens_at", "merge_until", "closes_at", "image_count",
            "image_width", "image_height", "image_formats", "daily_limit", "final_count",
            "maximum_upload_bytes", "accepts_images", "accepts_code", "wall_seconds",
            "memory_bytes",
        )  # fmt: skip
        labels = {
            "slug": "Short name",
            "image_count": "Images in a submission",
            "image_width": "Width in pixels",
            "image_height": "Height in pixels",
            "daily_limit": "Submissions a day",
            "final_count": "Final submissions",
            "accepts_images": "Images",
            "accepts_code": "Code that generates images",
        }
        help_texts = {
            "slug": "Part of the URL: lower-case letters, digits and hyphens.",
            "daily_limit": "Per team and UTC day. Refused and failed submissions do not count.",
            "final_count": "Per team, for the private leaderboard.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
        field: Any = self.fields["time_zone"]
        field.choices = [(name, name) for name in ["UTC", *(z for z in zones if z != "UTC")]]
        field.initial = "UTC"
        self.fields["maximum_upload_bytes"].label = "Largest upload"
        self.fields["wall_seconds"].label = "Time"
        self.fields["memory_bytes"].label = "Memory"
        for name in ("maximum_upload_bytes", "wall_seconds", "memory_bytes"):
            self.fields[name].initial = default_of(Competition, name)

    def full_clean(self) -> None:
        """Interpret dates without a time zone in the chosen one."""
        zone = "UTC"
        if self.is_bound:
            zone = str(self.data.get(self.add_prefix("time_zone")) or "UTC")
        try:
            chosen = zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            chosen = zoneinfo.ZoneInfo("UTC")  # the field itself reports the error
        with timezone.override(chosen):
            super().full_clean()

    def clean(self) -> dict[str, Any]:
        """Check fields against each other."""
        values = super().clean() or self.cleaned_data
        opens, merge, closes = (values.get(name) for name in _DATES)
        if opens and closes and opens >= closes:
            self.add_error("closes_at", "The competition closes before it opens.")
        elif opens and merge and closes and not opens <= merge <= closes:
            self.add_error("merge_until", "Expected a date between opening and closing.")
        if not values.get("accepts_images") and not values.get("accepts_code"):
            self.add_error("accepts_images", "Accept images, code, or both.")
        return values


class SplitForm(forms.ModelForm):
    """How one leaderboard is scored; saving adds a version.

    Args:
        folders: folders in which the images and weights must be; None allows any path (for the
            server's command line).
        base: the folder that relative paths start from.
    """

    weights = forms.CharField(
        required=False, help_text="A weights file; empty: the default weights."
    )
    reference = forms.CharField(
        required=False,
        label="Reference images",
        help_text="Images that the Fréchet distance compares with; empty: the training images.",
    )

    class Meta:
        model = Split
        fields = ("backbone", "weights", "train", "reference", "tau", "epsilon")
        labels = {"train": "Training images", "tau": "τ", "epsilon": "ε"}
        help_texts = {
            "backbone": "A name that genmem backbones lists, such as inception.",
            "train": "A folder, .zip, .tar, .parquet, .npy or reference (.genmem) on the server.",
            "tau": "A mean distance to the training images below τ is penalized.",
            "epsilon": "Keeps the penalty finite.",
        }
        widgets = {
            "tau": forms.NumberInput(attrs={"step": "any"}),
            "epsilon": forms.NumberInput(attrs={"step": "any"}),
        }

    def __init__(
        self, *args: Any, folders: Sequence[Path] | None = None, base: Path = Path(), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._folders, self._base = folders, base
        self.fields["tau"].min_value = 0  # type: ignore[attr-defined]

    def clean_backbone(self) -> str:
        """Check that the backbone exists."""
        from genmem.features.registry import find_backbone

        name = str(self.cleaned_data["backbone"]).strip()
        try:
            find_backbone(name)
        except GenmemError as error:
            raise ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        return name

    def clean_tau(self) -> float:
        """Check that τ is in (0, 1]."""
        tau = float(self.cleaned_data["tau"])
        if not 0 < tau <= 1:
            raise ValidationError("Expected a distance above 0, at most 1.")
        return tau

    def clean_epsilon(self) -> float:
        """Check that ε is in (0, 1)."""
        epsilon = float(self.cleaned_data["epsilon"])
        if not 0 < epsilon < 1:
            raise ValidationError("Expected a small number above 0, such as 1e-15.")
        return epsilon

    def clean_train(self) -> str:
        """Check that the path exists and is allowed."""
        return self._path("train")

    def clean_reference(self) -> str:
        """Check that the path, if any, exists and is allowed."""
        return self._path("reference")

    def clean_weights(self) -> str:
        """Check that the path, if any, exists and is allowed."""
        return self._path("weights")

    def _path(self, field: str) -> str:
        text = str(self.cleaned_data[field]).strip()
        if not text or text.startswith("hf:") or text == self.initial.get(field):
            return text
        path = (self._base / text).resolve()
        if self._folders is not None and not any(
            folder == path or folder in path.parents for folder in self._folders
        ):
            names = ", ".join(map(str, self._folders))
            raise ValidationError(f"Expected a path in {names} (data_folders in arena.toml).")
        if not path.exists():
            raise ValidationError(f"There is no {text} on the server.")
        return str(path)
