"""How long processes that train together wait for one another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import InitProcessGroupKwargs

LONGEST = timedelta(days=1)
"""One process embeds training images, and measures, while the others wait; by default they would
give up after 10 or 30 minutes. A process that dies ends them all the same: its launcher sees to it.
"""


def patience() -> InitProcessGroupKwargs:
    """For `Accelerator(kwargs_handlers=…)`."""
    from accelerate import InitProcessGroupKwargs

    return InitProcessGroupKwargs(timeout=LONGEST)
