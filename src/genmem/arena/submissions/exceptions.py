"""Errors of the storage of submissions."""

from __future__ import annotations

from genmem.errors import GenmemError


class StorageError(GenmemError):
    """The place where files are kept does not answer or refuses; the message says which."""
