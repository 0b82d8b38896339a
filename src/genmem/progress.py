"""Progress on stderr: bars on a terminal or in a notebook, occasional plain lines elsewhere.

`show_progress` is what the argument `progress=` of a function means.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from genmem.errors import UsageError
from genmem.formatting import duration

Progress = Callable[[str, int, int | None], None]
"""Called with a stage ("reading train.zip"), how much is done, and of how much (None: unknown)."""

ProgressOption = Progress | bool | None
"""The argument `progress=`: see `show_progress`."""

REDRAW_SECONDS = 0.1
LINE_SECONDS = 30.0
"""Interval between the plain lines of one stage."""

QUIET_SECONDS = 1.0
"""What ends before shows no bars, unless it was asked to."""


@contextmanager
def show_progress(progress: ProgressOption) -> Iterator[Progress | None]:
    """The callback that an argument `progress=` stands for.

    Args:
        progress: a callback; True for bars or lines on stderr; False for nothing; None for bars on
            a terminal and in a notebook, of work that takes over a second, and nothing elsewhere.

    Yields:
        The callback; None where nothing is shown.

    Raises:
        UsageError: it is something else.
    """
    if progress is False or (progress is None and not (_on_terminal() or _in_notebook())):
        yield None
    elif progress is None:
        with ExitStack() as stack:
            yield _Delayed(stack)
    elif progress is True:
        with _display() as show:
            yield show
    elif callable(progress):
        yield progress
    else:
        raise UsageError(
            "progress: expected True, False, None or a function of (stage, done, total), got "
            f"{type(progress).__name__}."
        )


class _Delayed:
    """Shows progress from the first call on that comes `QUIET_SECONDS` after the start."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack, self._started = stack, time.monotonic()
        self._show: Progress | None = None
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        with self._lock:
            if self._show is None and time.monotonic() - self._started >= QUIET_SECONDS:
                self._show = self._stack.enter_context(_display())
        if self._show is not None:
            self._show(stage, done, total)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel, which draws what is printed."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def _display() -> Iterator[Progress]:
    if not _in_notebook():
        with progress_on_stderr() as show:
            yield show
        return
    with _notebook_bars() as show:
        yield _Throttle(show, REDRAW_SECONDS)


@contextmanager
def _notebook_bars() -> Iterator[Progress]:
    """One line of text per stage, drawn over itself by carriage returns, which notebooks take."""
    from tqdm.std import tqdm

    bar: tqdm | None = None

    def show(stage: str, done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None or bar.desc != f"{stage}: ":
            if bar is not None:
                bar.close()  # before the next: notebooks cannot draw two lines over themselves
            bar = tqdm(desc=stage, total=total, file=sys.stderr)
        bar.total = total
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


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
