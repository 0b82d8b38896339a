"""What a program leaves in its output: files are taken, tricks are not."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from genmem.arena.sandbox import collection, usage
from genmem.arena.sandbox.program import Limits

from .programs import SMALL, needs_bubblewrap, run_source


def host_file(folder: Path, name: str = "private.txt") -> Path:
    path = folder / name
    path.write_text("the private split")
    return path


@needs_bubblewrap
def test_links_in_the_output_are_neither_followed_nor_collected(tmp_path: Path) -> None:
    private = host_file(tmp_path)
    result = run_source(
        tmp_path,
        f"""
        import os, socket
        os.chdir("/output")
        os.symlink("{private}", "link")
        os.symlink("{tmp_path}", "folder")
        os.symlink("../../../../../../..{private}", "dots")
        os.symlink("/etc/shadow", "shadow")
        os.mkfifo("pipe")
        socket.socket(socket.AF_UNIX).bind("socket")
        for name in ("link", "dots", "folder/new"):
            try: open(name, "w").write("overwritten"); print("WROTE", name)
            except OSError as error: print("stopped:", error)
        open("real", "w").write("x")
        os.link("real", "twin")
        """,
    )
    assert private.read_text() == "the private split"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name == "new") == []
    assert result.log.count("stopped:") == 3
    assert result.collected == ["real", "twin"]
    assert result.outcome.output_files == 2
    for name in ("link", "folder", "dots", "shadow"):
        assert f"not collected from /output: '{name}': a link" in result.outcome.message
    assert "'pipe': a named pipe" in result.log
    assert "'socket': a socket" in result.log


@needs_bubblewrap
def test_a_link_that_replaces_a_folder_while_it_is_counted_changes_nothing(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os, time
        os.chdir("/output")
        os.mkdir("a"); os.symlink("/", "b")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            os.rename("a", "c"); os.rename("b", "a"); os.rename("a", "b"); os.rename("c", "a")
        open("a/kept", "w").write("x")
        """,
    )
    assert (result.outcome.ended, result.outcome.exit_code) == ("exited", 0), result.log
    assert result.collected == ["a/kept"]


@needs_bubblewrap
def test_modes_and_owners_of_collected_files_are_plain(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os
        for name, mode in (("setuid", 0o6777), ("closed", 0o000), ("sticky", 0o1777)):
            open("/output/" + name, "w").write("x")
            os.chmod("/output/" + name, mode)
        os.mkdir("/output/folder"); open("/output/folder/file", "w").write("x")
        """,
    )
    assert result.collected == ["closed", "folder/file", "setuid", "sticky"]
    for name in result.collected:
        status = (result.output / name).stat()
        assert stat.S_IMODE(status.st_mode) == 0o644
        assert status.st_uid == os.geteuid()


@needs_bubblewrap
def test_files_with_odd_names_are_skipped_and_reported(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        r"""
        for name in (b"new\nline", b"\xff\xfe", b"\x1b[31mred", "fine ü.png".encode()):
            open(b"/output/" + name, "w").write("x")
        """,
    )
    assert result.collected == ["fine ü.png"]
    assert result.outcome.message.count("its name cannot be printed") == 3
    assert result.outcome.message.isprintable()


@needs_bubblewrap
def test_output_over_the_limit_at_the_end_is_not_collected(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        "for i in range(600): open(f'/output/{i}', 'w')",
    )
    assert result.outcome.ended == "disk"
    assert result.collected == []


@needs_bubblewrap
def test_files_of_a_stopped_run_are_kept_for_its_team(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        "import time\nopen('/output/first', 'w').write('x')\ntime.sleep(60)",
        limits=replace(SMALL, wall_seconds=1.0),
    )
    assert result.outcome.ended == "wall clock"
    assert result.collected == ["first"]


def test_collecting_refuses_what_is_over_the_limits(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a").write_bytes(bytes(2000))
    found = collection.collect(raw, tmp_path / "out", replace(Limits(), disk_bytes=1000))
    assert "more than 1000 bytes in /output" in found.problem
    assert not (tmp_path / "out").exists()


def test_an_interrupted_collection_leaves_no_half_output(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("from before")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "new").write_text("x")
    collection.collect(raw, tmp_path / "out", Limits())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


def test_a_walk_stops_at_links_and_depth(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert sorted(name for name, _ in usage.walk(tmp_path)) == ["link", "real", "real/file"]
    deep = tmp_path
    for _ in range(usage.MAX_DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(usage.TooDeepError):
        list(usage.walk(tmp_path))


def test_a_tree_too_deep_for_python_is_removed(tmp_path: Path) -> None:
    here = Path.cwd()
    tree = tmp_path / "tree"
    tree.mkdir()
    try:
        os.chdir(tree)
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(here)
    collection.remove(tree)
    assert not tree.exists()


def test_a_closed_folder_is_removed_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    private = host_file(tmp_path)
    private.chmod(0o600)
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed" / "link").symlink_to(private)
    (tree / "closed").chmod(0)
    collection.remove(tree)
    assert not tree.exists()
    assert private.read_text() == "the private split"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
