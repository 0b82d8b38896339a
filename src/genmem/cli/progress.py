"""Progress on stderr: bars on a terminal, occasional plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genmem.formatting import duration

if TYPE_CHECKING:
    from genmem.images.source import Progress

REDRAW_SECONDS = 0.1
LINE_SECONDS = 30.0
"""Interval between the plain lines of one stage."""


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """A callback that shows progress on stderr: as bars on a terminal, otherwise as plain lines."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield _Throttle(show, REDRAW_SECONDS)
    else:
        yield _Throttle(_Lines(), LINE_SECONDS)


@contextmanager
def _bars() -> Iterator[Progress]:
    """One bar per stage; finished bars stay, so that their rates can be read."""
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        """Items per second."""

        def render(self, task: rich_progress.Task) -> Text:
            rate = task.finished_speed or task.speed
            if rate is None and task.elapsed:
                rate = task.completed / task.elapsed
            return Text(_rate(rate) if rate else "", style="progress.data.speed")

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=30),
        rich_progress.MofNCompleteColumn(),
        Rate(),
        rich_progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    tasks: dict[str, rich_progress.TaskID] = {}
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars:

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in bars.tasks:  # a stage of unknown length has no rate worth keeping
                    task.visible = task.total is not None
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _Throttle:
    """Forwards the first and the last call of a stage, and one every `seconds` between."""

    def __init__(self, show: Progress, seconds: float) -> None:
        self._show = show
        self._seconds = seconds
        self._shown: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        with self._lock:
            if done != total and now - self._shown.get(stage, -self._seconds) < self._seconds:
                return
            self._shown[stage] = now
            self._show(stage, done, total)


class _Lines:
    """Plain lines: occasional ones, and one at the end of a stage that took over a second.

    Rates count from the stage's first call, so that earlier work of a resumed run is excluded.
    """

    def __init__(self) -> None:
        self._stages: dict[str, tuple[float, int, int]] = {}  # start time, start count, last count

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        started, first, last = self._stages.get(stage, (now, done, done))
        if done < last:  # another stage of the same name
            started, first = now, done
        self._stages[stage] = started, first, done
        seconds = now - started
        if seconds < 1:
            return
        rate = (done - first) / seconds
        text = f"{stage}: {done:,}"
        if done == total:
            text += f" in {duration(seconds)} ({_rate(rate)})"
        elif total is not None and rate > 0:
            left = duration((total - done) / rate)
            text += f" of {total:,} ({_rate(rate)}, {left} left)"
        print(text, file=sys.stderr, flush=True)


def _rate(rate: float) -> str:
    """`1,234/s`; two digits below ten: `0.043/s`."""
    return f"{rate:,.0f}/s" if rate >= 9.95 else f"{rate:.2g}/s"
