"""Control groups, on a folder that stands for one: the files written, and what is read there."""

from dataclasses import replace
from pathlib import Path

import pytest

from genmem.arena.sandbox import Limits, groups

LIMITS = replace(Limits(), memory_bytes=1000, cpus=2)


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(groups, "parent", lambda: tmp_path)
    return tmp_path


def test_a_group_has_the_limits_and_the_scratch_is_memory(above: Path) -> None:
    group = groups.make("run", LIMITS, scratch_bytes=500, tasks=46)
    assert group == above / "run"
    assert group is not None
    written = {file.name: file.read_text() for file in group.iterdir()}
    assert written.pop("cgroup.procs").strip().isdecimal()
    assert written == {
        "memory.max": "1500",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "46",
        "cpu.max": "200000 100000",
    }


def test_where_no_group_can_be_made_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "parent", lambda: None)
    assert groups.make("run", LIMITS, scratch_bytes=1, tasks=1) is None
    monkeypatch.setattr(groups, "parent", lambda: tmp_path / "missing")
    assert groups.make("run", LIMITS, scratch_bytes=1, tasks=1) is None


@pytest.mark.parametrize(
    ("events", "limit"),
    [
        ({"memory.events": "low 0\noom_kill 1\n"}, "memory"),
        ({"memory.events": "oom_kill 0\n", "pids.events": "max 3\n"}, "processes"),
        ({"memory.events": "oom_kill 0\n", "pids.events": "max 0\n"}, ""),
        ({}, ""),
    ],
)
def test_the_limit_that_was_hit_is_read_from_the_events(
    tmp_path: Path, events: dict[str, str], limit: str
) -> None:
    for name, text in events.items():
        (tmp_path / name).write_text(text)
    assert groups.limit_hit(tmp_path) == limit


def test_the_nearest_group_that_delegates_the_controllers_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "user.slice/app.slice/arena.scope"
    own.mkdir(parents=True)
    for group, handed_down in ((own, ""), (own.parent, "cpu memory pids"), (tmp_path, "memory")):
        (group / "cgroup.subtree_control").write_text(handed_down)
        (group / "cgroup.procs").touch()
    monkeypatch.setattr(groups, "_mount_point", lambda: tmp_path)
    monkeypatch.setattr(groups, "_own_group", lambda: "/user.slice/app.slice/arena.scope")
    assert groups.parent() == own.parent
