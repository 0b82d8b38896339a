"""Submitted code for the tests, and its runs."""

import time

GOOD_CODE = """
import pathlib, shutil
found = sorted(pathlib.Path("/inputs/train").iterdir())
print("training images:", len(found))
for number in range(4):
    shutil.copy(found[number], f"/output/{number}.png")
"""


def advance_to_end(worker, submission, seconds=60.0):
    """Advance runs until the run of this submission has ended; its step."""
    from genmem.arena.scoring import code_runs
    from genmem.arena.submissions.models import Step

    until = time.monotonic() + seconds
    while True:
        code_runs.advance(worker)
        submission.refresh_from_db()
        step = Step.objects.get(submission=submission, name="run")
        if step.state in ("done", "failed"):
            return step
        assert time.monotonic() < until, step.log
        time.sleep(0.1)
