"""Which generated images are copies, of which training images, and how sure that is."""

from genmem.auditing.audit import audit
from genmem.auditing.results import (
    Audit,
    CopiedImage,
    Duplicates,
    Null,
    Pictures,
    Space,
    copied,
    copied_by_class,
)

__all__ = [
    "Audit",
    "CopiedImage",
    "Duplicates",
    "Null",
    "Pictures",
    "Space",
    "audit",
    "copied",
    "copied_by_class",
]
