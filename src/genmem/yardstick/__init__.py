"""Do held-out images say how close honest images come to the training images?

check.py            `check_yardstick`: all checks, and what they say together
two_sample.py       the energy distance of held-out and training features, a permutation null
file_properties.py  how the images are stored: format, quality, size, color, noise floor
series.py           bursts, scenes, products: training images close to each other
generator_shape.py  copies, narrower, nearer as a whole, farther: what the generated images show
several_spaces.py   one yardstick of those of several feature spaces
"""

from genmem.results import Yardstick
from genmem.yardstick.check import Precomputed, check_yardstick
from genmem.yardstick.several_spaces import merge_yardsticks

__all__ = ["Precomputed", "Yardstick", "check_yardstick", "merge_yardsticks"]
