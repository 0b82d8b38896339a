"""The numbers of an EMM study as text; shared by the page and the terminal."""

from __future__ import annotations

from genmem.results import Interval
from genmem.study_results.emm import Curve, Emm, Search


def percent(ratio: float) -> str:
    """A ratio in [0, 1] as whole percents; a few are never rounded to none, nor to all."""
    value = 100 * ratio
    if 0 < value < 0.5:
        return "<1 %"
    if 99.5 <= value < 100:
        return ">99 %"
    return f"{value:.0f} %"


def format_ratio(curve: Curve, size: int) -> str:
    """`61 % (50–72)`, `61 % (1 seed)`, `0 % (all 3 seeds)`; "" where nothing was trained."""
    mean = curve.mean_at(size)
    if mean is None:
        return ""
    interval = format_seeds(mean.seeds) if mean.interval is None else format_range(mean.interval)
    return f"{percent(mean.ratio)} ({interval})"


def format_seeds(seeds: int) -> str:
    """Instead of an interval: `1 seed`, or `all 3 seeds`, which agree."""
    return "1 seed" if seeds == 1 else f"all {seeds} seeds"


def format_range(interval: Interval) -> str:
    """`50–72`, in percents."""
    low, high = round(100 * interval.low), round(100 * interval.high)
    between = " to " if low < 0 else "–"
    return f"{low}{between}{high}".replace("-", "−")


def format_emm(emm: Emm) -> str:
    """`1,070 (980–1,170)`, `1,070 (all 3 seeds)`, or what is known where there is no value."""
    if emm.value is None:
        return emm.text or ""
    value = format_size(emm.value)
    if emm.interval is None:
        return f"{value} ({emm.text})" if emm.text else value
    return f"{value} ({format_size(emm.interval.low)}–{format_size(emm.interval.high)})"


def format_bracket(search: Search) -> str:
    """`753–939`; `≥ 4,000` or `< 500` where one end is missing."""
    if search.low is None:
        return "nothing yet" if search.high is None else f"< {search.high:,}"
    return f"≥ {search.low:,}" if search.high is None else f"{search.low:,}–{search.high:,}"


def format_size(size: float) -> str:
    """An interpolated number of images with three digits: `1,070`, `45.3`."""
    if size >= 100:
        digits = max(0, len(str(int(size))) - 3)
        return f"{round(size, -digits):,.0f}"
    return f"{size:.3g}"
