"""The numbers of an EMM study as people read them; shared by the page and the terminal."""

from __future__ import annotations

from genmem.results import Json

FACTORS = {
    "": ("The model", "the model"),
    "dimension": ("Image size", "side of the images, in pixels"),
    "classes": ("Number of classes", "classes that the training images are drawn from"),
    "diversity": ("Diversity", "share of the training images from the second source"),
    "width": ("Width", "channels of the network"),
    "blocks": ("Depth", "residual blocks a resolution"),
    "skips": ("Skip connections", "skip connections that are kept"),
    "time-embedding": ("Time embedding", "how the network is told the noise level"),
    "batch": ("Batch size", "images a step"),
    "weight-decay": ("Weight decay", "weight decay"),
    "ema": ("Averaged weights", "decay of the averaged weights per step"),
    "labels": ("Conditioning", "what the network is told of an image"),
}
"""By factor: a heading, and what its values are."""


def percent(ratio: float) -> str:
    """A ratio in [0, 1] as whole percents; a few are never rounded to none, nor to all."""
    value = 100 * ratio
    if 0 < value < 0.5:
        return "<1 %"
    if 99.5 <= value < 100:
        return ">99 %"
    return f"{value:.0f} %"


def mean_at(curve: Json, size: int) -> Json | None:
    """The mean over seeds at |D| = `size`; None where nothing was trained."""
    return next((mean for mean in curve["means"] if mean["size"] == size), None)


def ratio_words(curve: Json, size: int) -> str:
    """`61 % (50–72)`, `61 % (1 seed)`, `0 % (all 3 seeds)`; nothing where nothing was trained."""
    mean = mean_at(curve, size)
    if mean is None:
        return ""
    if mean["interval"] is None:
        return f"{percent(mean['ratio'])} ({seeds_words(mean['seeds'])})"
    return f"{percent(mean['ratio'])} ({span(mean['interval'])})"


def seeds_words(seeds: int) -> str:
    """What stands in an interval's place: `1 seed`, or `all 3 seeds`, which agree."""
    return "1 seed" if seeds == 1 else f"all {seeds} seeds"


def span(interval: Json) -> str:
    """`50–72`, in percents."""
    low, high = round(100 * interval["low"]), round(100 * interval["high"])
    between = " to " if low < 0 else "–"
    return f"{low}{between}{high}".replace("-", "−")


def emm_words(emm: Json) -> str:
    """`1,070 (980–1,170)`, `1,070 (all 3 seeds)`, or in words what is known."""
    if emm["value"] is None:
        return emm["words"]
    value = size_words(emm["value"])
    if emm["interval"] is None:
        return f"{value} ({emm['words']})" if emm["words"] else value
    low, high = emm["interval"]["low"], emm["interval"]["high"]
    return f"{value} ({size_words(low)}–{size_words(high)})"


def bracket_words(search: Json) -> str:
    """`753–939`; `≥ 4,000` or `< 500` where one end is missing."""
    low, high = search["low"], search["high"]
    if low is None:
        return "nothing yet" if high is None else f"< {high:,}"
    return f"≥ {low:,}" if high is None else f"{low:,}–{high:,}"


def size_words(size: float) -> str:
    """A number of images that was interpolated: three digits, `1,070`, `45.3`."""
    if size >= 100:
        digits = max(0, len(str(int(size))) - 3)
        return f"{round(size, -digits):,.0f}"
    return f"{size:.3g}"


def name_of(curve: Json) -> str:
    """What a curve is called in a legend."""
    return f"{curve['value']}" if curve["factor"] else "all as set"
