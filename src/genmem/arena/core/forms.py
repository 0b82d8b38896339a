"""How forms look, and the fields that are written as words: "500 MB", "9 h"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import DjangoTemplates

from genmem.arena.core import formatting


class Renderer(DjangoTemplates):
    """Every form in the house's own templates."""

    form_template_name = "core/form.html"
    field_template_name = "core/field.html"


class WordField(forms.CharField):
    """A whole number written with its unit.

    Args:
        read: text → number; raises ValueError with what was expected.
        write: number → text.
    """

    def __init__(
        self, *, read: Callable[[str], int], write: Callable[[int], str], **options: Any
    ) -> None:
        super().__init__(**options)
        self._read, self._write = read, write

    def prepare_value(self, value: object) -> object:
        """A number as words; what was typed stays as it was typed."""
        return self._write(value) if isinstance(value, int) else value

    def clean(self, value: object) -> Any:
        """The number."""
        text = super().clean(str(value) if isinstance(value, int) else value)
        try:
            return self._read(text)
        except (ValueError, OverflowError) as error:
            raise ValidationError(f"{str(error).capitalize()}.") from error


def size_field(help_text: str = "") -> WordField:
    """A number of bytes, written "500 MB"."""
    return WordField(read=formatting.bytes_from, write=formatting.size, help_text=help_text)


def duration_field(help_text: str = "") -> WordField:
    """A number of seconds, written "9 h"."""
    return WordField(read=formatting.seconds_from, write=formatting.duration, help_text=help_text)
