"""The form renderer, and form fields for sizes and durations: "500 MB", "9 h"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import DjangoTemplates

from genmem.arena.core import formatting


class Renderer(DjangoTemplates):
    """Renders every form with the arena's own templates."""

    form_template_name = "core/form.html"
    field_template_name = "core/field.html"


class UnitField(forms.CharField):
    """A whole number that is entered with its unit.

    Args:
        parse: text → number; raises ValueError with what was expected.
        render: number → text.
    """

    def __init__(
        self, *, parse: Callable[[str], int], render: Callable[[int], str], **options: Any
    ) -> None:
        super().__init__(**options)
        self._parse, self._render = parse, render

    def prepare_value(self, value: object) -> object:
        """Format a number; leave what the user typed as it is."""
        return self._render(value) if isinstance(value, int) else value

    def clean(self, value: object) -> Any:
        """Return the number."""
        text = super().clean(str(value) if isinstance(value, int) else value)
        try:
            return self._parse(text)
        except (ValueError, OverflowError) as error:
            raise ValidationError(f"{str(error).capitalize()}.") from error


def size_field(help_text: str = "") -> UnitField:
    """Build a field for a number of bytes, entered as "500 MB"."""
    return UnitField(parse=formatting.bytes_from, render=formatting.size, help_text=help_text)


def duration_field(help_text: str = "") -> UnitField:
    """Build a field for a number of seconds, entered as "9 h"."""
    return UnitField(parse=formatting.seconds_from, render=formatting.duration, help_text=help_text)
