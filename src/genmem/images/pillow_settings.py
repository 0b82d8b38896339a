"""Pillow's process-wide settings, at their defaults while genmem decodes.

Programs change them (`ImageFile.LOAD_TRUNCATED_IMAGES = True` is common), but no cache key holds
them: the same images would have other pixels, or fail, in the next program. Other threads that use
Pillow see the defaults too while an image is being decoded.
"""

from __future__ import annotations

import os
import threading

from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin

_DEFAULTS = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (Image, "MAX_IMAGE_PIXELS", None),  # `limits.MAX_PIXELS` counts instead
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST),
    (PngImagePlugin, "MAX_TEXT_CHUNK", 2**20),
    (PngImagePlugin, "MAX_TEXT_MEMORY", 2**26),
    (TiffImagePlugin, "READ_LIBTIFF", False),
)


class _PillowDefaults:
    """A context that any number of threads may be in; the last to leave restores the settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._saved: list[object] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._saved = [getattr(module, name) for module, name, _ in _DEFAULTS]
            self._threads += 1
            for module, name, value in _DEFAULTS:
                setattr(module, name, value)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                self._restore()

    def _restore(self) -> None:
        for (module, name, _), value in zip(_DEFAULTS, self._saved, strict=True):
            setattr(module, name, value)

    def leave_in_child(self) -> None:
        """In a forked process the threads are gone, and the lock may have stayed locked."""
        if self._threads:
            self._restore()
        self._lock, self._threads = threading.Lock(), 0


PILLOW_DEFAULTS = _PillowDefaults()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PILLOW_DEFAULTS.leave_in_child)
