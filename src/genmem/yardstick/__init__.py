"""Do held-out images say how close honest images come to the training images?

check.py            `check_yardstick`: all checks, and what they say together
"""

from genmem.results import Yardstick
from genmem.yardstick.check import check_yardstick

__all__ = ["Yardstick", "check_yardstick"]
