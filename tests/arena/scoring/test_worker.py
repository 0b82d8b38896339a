"""Worker processes, killed between and inside steps: every submission is scored once."""

import re
import signal
import subprocess
import sys
import time
import uuid

import pytest

from studies import arenas

ONCE = """
select s.id, count(v.id), count(distinct d.kind)
from submissions_submission s
left join leaderboards_scoreversion v on v.submission_id = s.id
left join competitions_split d on d.id = v.split_id
group by s.id
"""


def all_scored_once(arena, count):
    assert arena.states() == {"scored": count}
    assert [row[1:] for row in arena.query(ONCE)] == [(2, 2)] * count
    assert arena.query("select distinct state from submissions_step") == [("done",)]


def submit(arena, folder, count, **where):
    return arena.send(
        [arenas.zip_images(folder / f"{n}.zip", 10 * n) for n in range(count)], **where
    )


def wait_until(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_repeatedly_killed_workers_lose_and_double_nothing(tmp_path, database_address):
    arena = arenas.build_arena(tmp_path / "A", database=database_address)
    count = 12
    submit(arena, tmp_path, count)
    log = tmp_path / "log"
    for scored in (1, 4, 8):
        worker = arenas.worker(arena, log)
        wait_until(lambda least=scored: arena.states().get("scored", 0) >= least)
        arenas.kill(worker)  # in the middle of something, as it never rests
        assert arena.states().get("scored", 0) < count
    workers = [arenas.worker(arena, log) for _ in range(2)]
    try:
        assert arena.wait(300), log.read_text()
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        codes = [worker.wait(timeout=60) for worker in workers]
    all_scored_once(arena, count)
    assert codes == [0, 0]
    assert log.read_text().count("has died") >= 3
    assert "publish: done" in log.read_text()


def test_one_competition_does_not_block_another(tmp_path):
    """A late submission to another competition is scored long before the end of a long queue."""
    arena = arenas.build_arena(tmp_path / "A", slugs=("dogs", "cats"))
    many = submit(arena, tmp_path, 25)
    late = arena.send([arenas.zip_images(tmp_path / "late.zip", 5000)], slug="cats")
    assert len(many) == 25
    worker = arenas.worker(arena, tmp_path / "log")
    try:
        assert arena.wait(300)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    published = arena.query(
        "select submission_id from submissions_step where name = 'publish' order by ended_at"
    )
    assert len(published) == 26
    assert [uuid.UUID(str(row[0])) for row in published].index(uuid.UUID(late[0])) < 8


def test_serve_starts_a_worker_that_is_restarted_and_ends_with_serve(tmp_path):
    arena = arenas.build_arena(tmp_path / "A")
    port = arenas.free_port()
    with (tmp_path / "log").open("wb") as log:
        serve = subprocess.Popen(
            [*arenas.GENMEM, "serve", str(arena.folder), "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:

        def workers():
            text = (tmp_path / "log").read_text()
            return [int(pid) for pid in re.findall(r"started \(process (\d+)\)", text)]

        wait_until(lambda: len(workers()) == 1)
        arenas.send_signal(workers()[0], signal.SIGKILL)
        wait_until(lambda: len(workers()) == 2)
        assert not arenas.is_running(workers()[0])
        submit(arena, tmp_path, 2)
        assert arena.wait(300)
        processes = list(arenas.children(serve.pid))
        assert len(processes) >= 3
    finally:
        arenas.kill(serve)
    wait_until(lambda: not any(arenas.is_running(pid) for pid in processes), 60)
    all_scored_once(arena, 2)


def test_the_command_is_a_worker_until_it_is_interrupted(tmp_path):
    arena = arenas.build_arena(tmp_path / "A")
    submit(arena, tmp_path, 1)
    process = subprocess.Popen(
        [*arenas.GENMEM, "worker", str(arena.folder)], stderr=subprocess.PIPE, text=True
    )
    assert arena.wait(300)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    names = re.findall(r": \w{8} ([a-z ]+): done", output)
    assert names == [
        "validate", "public features", "public score", "private features", "private score",
        "publish",
    ]  # fmt: skip


def test_a_worker_without_an_arena_says_so_in_one_line(tmp_path):
    done = subprocess.run(
        [*arenas.GENMEM, "worker", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "holds no arena" in done.stderr
    assert done.stderr.count("\n") == 1


def test_pages_do_not_import_torch():
    code = (
        "import sys, genmem.arena.scoring.worker, genmem.arena.serving;"
        "print(sorted({'torch', 'django.db.models'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("moment", ["computed", "half written"])
def test_a_step_whose_worker_dies_is_done_by_the_next_worker(tmp_path, moment):
    """The worker kills itself just before and inside the transaction that writes a score."""
    arena = arenas.build_arena(tmp_path / "A")
    submit(arena, tmp_path, 1)
    patch = {
        "computed": "pipeline.finish = lambda attempt: die()",
        "half written": "pipeline.add_score = lambda *a, **k: (add(*a, **k), die())",
    }[moment]
    code = f"""
import os, signal
from pathlib import Path
from genmem.arena import load
load({str(arena.folder)!r})
from genmem.arena.scoring import pipeline, worker
add = pipeline.add_score
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
{patch}
worker.work(Path({str(arena.folder)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert arena.query("select count(*) from leaderboards_scoreversion") == [(0,)]
    worker = arenas.worker(arena, tmp_path / "log")
    assert arena.wait(300)
    worker.terminate()
    worker.wait(timeout=60)
    all_scored_once(arena, 1)
