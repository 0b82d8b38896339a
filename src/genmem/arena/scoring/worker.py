"""The part that scores, as processes."""

from __future__ import annotations

from pathlib import Path


def start_worker(folder: Path) -> None:
    """Start a worker beside the pages; it returns at once."""
