"""Progress on stderr: a bar with rate and time left on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genmem.formatting import duration

Progress = Callable[[str, int, int | None], None]
"""Called with stage words, done and total (None when unknown); from any thread, often."""

REDRAW_SECONDS = 0.1
LINE_SECONDS = 30.0
"""How often a stage that goes on gets another plain line."""


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """Something to call with progress, which shows it in the way that suits stderr."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield _Throttle(show, REDRAW_SECONDS)
    else:
        yield _Throttle(_Lines(), LINE_SECONDS)


@contextmanager
def _bars() -> Iterator[Progress]:
    """One bar a stage; finished ones stay, so that the rates can be read afterwards."""
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        """Items a second."""

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
                for task in bars.tasks:  # what never told its length tells no rate either
                    task.visible = task.total is not None
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _Throttle:
    """Passes on a stage's first call, its last, and one every `seconds` between."""

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
    """Plain lines: none when a stage is over at once, one now and then, one at its end.

    Rates count from the stage's first call: what a resumed run brought along took no time here.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, int, int]] = {}  # began when, at, was last at

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        since, brought, before = self._seen.get(stage, (now, done, done))
        if done < before:  # another stage of the same name
            since, brought = now, done
        self._seen[stage] = since, brought, done
        spent = now - since
        if spent < 1:
            return
        rate = (done - brought) / spent
        text = f"{stage}: {done:,}"
        if done == total:
            text += f" in {duration(spent)} ({_rate(rate)})"
        elif total is not None and rate > 0:
            left = duration((total - done) / rate)
            text += f" of {total:,} ({_rate(rate)}, {left} left)"
        print(text, file=sys.stderr, flush=True)


def _rate(rate: float) -> str:
    """`1,234/s`; below ten, two digits: `0.043/s`."""
    return f"{rate:,.0f}/s" if rate >= 9.95 else f"{rate:.2g}/s"
