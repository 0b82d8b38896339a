"""Programs that fill the disk, the scratch or the log."""

from dataclasses import replace
from pathlib import Path

import pytest

from .programs import MIB, SMALL, needs_bubblewrap, run_source

pytestmark = needs_bubblewrap

HUNDRED_GB = 100 * 10**9


def host_disk_used(path: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize("place", ["/scratch", "/tmp", "/dev/shm"])
def test_one_hundred_gigabytes_do_not_fit_into_the_scratch(tmp_path: Path, place: str) -> None:
    result = run_source(
        tmp_path,
        f"""
        index = 0
        while index < {HUNDRED_GB} // 1048576:
            with open("{place}/" + str(index), "wb") as file: file.write(bytes(1048576))
            index += 1
        """,
    )
    assert result.outcome.ended == "exited"
    assert result.outcome.exit_code == 1
    assert "No space left on device" in result.log
    assert "/scratch, /tmp and $HOME hold at most 16 MiB, in memory" in result.outcome.message


def test_one_hundred_gigabytes_of_output_are_stopped(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        f"""
        import time
        for index in range({HUNDRED_GB} // 1048576):
            with open(f"/output/{{index}}", "wb") as file: file.write(bytes(1048576))
            time.sleep(0.002)
        """,
    )
    assert result.outcome.ended == "disk"
    assert "more than 32 MiB in /output" in result.log
    assert result.collected == []
    assert host_disk_used(tmp_path) < MIB


def test_one_huge_file_is_refused(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        f"""
        import os
        try:
            os.truncate(os.open("/output/sparse", os.O_CREAT | os.O_RDWR), {HUNDRED_GB})
        except OSError as error:
            print("sparse:", error)
        with open("/output/huge", "wb") as file:
            for _ in range({HUNDRED_GB} // 1048576): file.write(bytes(1048576))
        """,
    )
    assert result.outcome.ended == "exited"
    assert result.outcome.exit_code == 1
    assert "sparse: [Errno 27] File too large" in result.log
    assert "one file may have at most 8 MiB" in result.outcome.message


def test_files_that_are_removed_but_open_still_count(tmp_path: Path) -> None:
    # The allowance is 4 × 32 MiB + 256 MiB in all: written by files that no count of folders sees.
    result = run_source(
        tmp_path,
        """
        import os, time
        held = []
        for index in range(400):
            file = open("/output/hidden", "wb")
            os.unlink("/output/hidden")
            file.write(bytes(4 * 1048576)); file.flush()
            held.append(file)
            time.sleep(0.005)
        time.sleep(10)
        """,
    )
    assert result.outcome.ended == "disk"
    assert "written to /output in all" in result.log


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("while True: i += 1; open(f'/output/{i}', 'w')", "500 files and folders in /output"),
        ("while True: i += 1; open(f'/scratch/{i}', 'w')", "500 files in /scratch"),
        (
            "import os, time\nos.chdir('/output')\n"
            "for _ in range(40): os.mkdir('d'); os.chdir('d')\ntime.sleep(30)",
            "nested deeper than 16",
        ),
    ],
)
def test_a_program_that_writes_files_without_end_is_stopped(
    tmp_path: Path, source: str, reason: str
) -> None:
    result = run_source(tmp_path, f"i = 0\n{source}")
    assert result.outcome.ended == "disk"
    assert reason in result.log
    assert not list(tmp_path.glob("*.work"))


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        print("the beginning")
        for index in range(200_000): print("line", index)
        print("the end")
        """,
    )
    assert result.outcome.ended == "exited"
    assert result.outcome.log_truncated
    assert result.log.startswith("the beginning\n")
    assert "the end\n" in result.log
    assert "bytes are omitted here: a log holds at most 65,536" in result.log
    assert result.outcome.log_path.stat().st_size < 65_536 + 500


def test_a_program_that_prints_without_end_is_stopped_by_the_clock(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        "import os\nwhile True: os.write(1, b'x' * 65536)",
        limits=replace(SMALL, wall_seconds=1.5),
    )
    assert result.outcome.ended == "wall clock"
    assert result.outcome.seconds < 5
    assert result.outcome.log_truncated


def test_the_end_of_a_run_leaves_nothing_beside_its_output(tmp_path: Path) -> None:
    run_source(tmp_path, "open('/output/kept', 'w').write('x')")
    # The code, its output, and the record with its log.
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", "", ".json", ".log"]
