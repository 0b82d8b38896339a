import io
import sys
import threading
import time

import pytest

from genmem import progress as progress_module
from genmem.errors import UsageError
from genmem.progress import progress_on_stderr, show_progress


class Clock:
    """Replaces the module `time` in genmem.progress."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def test_a_short_stage_prints_nothing(clock, capsys):
    with progress_on_stderr() as progress:
        for done in range(101):
            progress("reading", done, 100)
    assert capsys.readouterr().err == ""


def test_a_long_stage_prints_occasional_lines_and_a_last_one(clock, capsys):
    with progress_on_stderr() as progress:
        for done in range(1001):
            clock.now = done / 10
            progress("train: reading", done, 1000)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 4
    assert lines[0] == "train: reading: 300 of 1,000 (10/s, 1 min 10 s left)"
    assert lines[-1] == "train: reading: 1,000 in 1 min 40 s (10/s)"


def test_a_stage_of_unknown_length_is_counted(clock, capsys):
    with progress_on_stderr() as progress:
        for done in (0, 50, 70):
            clock.now = float(done)
            progress("reading", done, None)
    assert capsys.readouterr().err == "reading: 50\n"


def test_earlier_work_of_a_resumed_run_does_not_count_in_the_rate(clock, capsys):
    with progress_on_stderr() as progress:
        for done in range(900, 1001):
            clock.now = float(done)
            progress("training", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 930 of 1,000 (1/s, 1 min 10 s left)"
    assert lines[-1] == "training: 1,000 in 1 min 40 s (1/s)"


def test_a_second_stage_of_the_same_name_has_its_own_rate(clock, capsys):
    with progress_on_stderr() as progress:
        for first in (0, 100):
            for done in range(41):
                clock.now = float(first + done)
                progress("reading", done, 40)
    assert capsys.readouterr().err.splitlines()[-1] == "reading: 40 in 40 s (1/s)"


def test_slow_work_has_a_rate_too(clock, capsys):
    with progress_on_stderr() as progress:
        for done in range(3):
            clock.now = 40.0 * done
            progress("training", done, 2)
    assert capsys.readouterr().err.splitlines()[0] == "training: 1 of 2 (0.025/s, 40 s left)"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_with_rate(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_on_stderr() as progress:
        progress("moments", 0, None)
        for done in range(0, 101, 10):
            progress("train: reading", done, 100)
            time.sleep(0.01)
    output = terminal.getvalue()
    assert "train: reading" in output
    assert "100/100" in output
    assert "/s" in output


def test_progress_may_be_called_from_many_threads(capsys):
    with progress_on_stderr() as progress:
        threads = [
            threading.Thread(target=lambda: [progress("reading", k, 500) for k in range(501)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert capsys.readouterr().err == ""


def shown(progress):
    with show_progress(progress) as show:
        if show is not None:
            for done in range(3):
                show("reading", done, 2)
        return show


def test_nothing_is_shown_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "QUIET_SECONDS", 0.0)
    assert shown(None) is None  # stderr is captured: no terminal
    assert shown(False) is None
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_bars_of_work_that_takes_its_time_only(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_module, "QUIET_SECONDS", 1e9)
    assert shown(None) is not None
    assert terminal.getvalue() == ""
    assert shown(False) is None
    monkeypatch.setattr(progress_module, "QUIET_SECONDS", 0.0)
    shown(None)
    assert "reading" in terminal.getvalue()


def test_a_notebook_shows_one_line_per_stage(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress_module, "_in_notebook", lambda: True)
    shown(None)
    assert "reading: 100%" in capsys.readouterr().err


def test_a_function_is_called_and_anything_else_is_refused():
    calls = []
    shown(lambda *arguments: calls.append(arguments))
    assert calls == [("reading", 0, 2), ("reading", 1, 2), ("reading", 2, 2)]
    with pytest.raises(UsageError, match="progress: expected True, False, None or a function"):
        shown("yes")
