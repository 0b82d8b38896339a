"""Append-only models."""

from __future__ import annotations

from django.db import models


class AppendOnlyRows(models.QuerySet):
    """Rows that can be added and read, one by one or many at once, and nothing else."""

    def update(self, **fields: object) -> int:
        """Raises: nothing is ever changed."""
        raise TypeError(f"rows of {self.model.__name__} never change: add another")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Raises: nothing is ever deleted."""
        raise TypeError(f"rows of {self.model.__name__} are never deleted")


class AppendOnly(models.Model):
    """Rows that are added and then never changed or deleted."""

    objects = AppendOnlyRows.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        """Add the row; raises for one that is there already."""
        if not self._state.adding:
            raise TypeError(f"a {type(self).__name__} never changes: add another")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Raises: nothing is ever deleted."""
        raise TypeError(f"a {type(self).__name__} is never deleted")
