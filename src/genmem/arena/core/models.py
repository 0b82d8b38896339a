"""Append-only models, abstract."""

from __future__ import annotations

from django.db import models


class AppendOnlyRows(models.QuerySet):
    """A query set whose rows can be added and read, but not changed or deleted."""

    def update(self, **fields: object) -> int:
        """Raise TypeError: rows never change."""
        raise TypeError(f"rows of {self.model.__name__} never change: add another")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Raise TypeError: rows are never deleted."""
        raise TypeError(f"rows of {self.model.__name__} are never deleted")


class AppendOnly(models.Model):
    """A model whose rows are added, and never changed or deleted."""

    objects = AppendOnlyRows.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        """Add the row; TypeError for an existing one."""
        if not self._state.adding:
            raise TypeError(f"a {type(self).__name__} never changes: add another")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Raise TypeError: rows are never deleted."""
        raise TypeError(f"a {type(self).__name__} is never deleted")
