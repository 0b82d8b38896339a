import numpy as np

from genmem.demo.digits import png
from genmem.demo.terminal_pictures import as_blocks


def test_a_character_is_two_pixels_one_above_the_other():
    image = np.zeros((4, 4, 3), np.uint8)
    image[1, 0] = (255, 128, 0)
    text = as_blocks([png(image), png(image)], side=4)
    lines = text.plain.splitlines()
    assert lines == ["▀▀▀▀ ▀▀▀▀ "] * 2
    style = text.spans[0].style
    assert (style.color.name, style.bgcolor.name) == ("#000000", "#ff8000")
