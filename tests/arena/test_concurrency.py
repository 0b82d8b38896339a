"""What people do at the same moment: the limits hold all the same."""

import json
import os
import subprocess
import sys

from genmem.arena.core.configuration import write_new

from .images import a_zip

SCRIPT = """
import json, sys, threading
from pathlib import Path
from genmem.arena.serving import prepare
folder, path = map(Path, sys.argv[1:])
prepare(folder)
from datetime import timedelta
from django.db import connection
from genmem.arena.core import clock
from genmem.arena.competitions.models import Competition
from genmem.arena.teams import teams
from genmem.arena.accounts.models import User
from genmem.arena.teams.models import Team
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.services import receive
from genmem.errors import GenmemError

now = clock.now()
competition = Competition.objects.create(
    slug=f"at-once-{now:%H%M%S%f}", title="x", opens_at=now, merge_until=now + timedelta(days=1),
    closes_at=now + timedelta(days=1), daily_limit=3)
user = User.objects.create_user(f"u{now:%H%M%S%f}@example.org", "x", display_name="u")
start, outcomes = threading.Barrier(8), []

def at_once(act):
    def run():
        start.wait()
        try:
            act()
            outcomes.append("done")
        except GenmemError:
            outcomes.append("refused")
        except Exception as error:
            outcomes.append(repr(error))
        finally:
            connection.close()
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    found = sorted(outcomes)
    outcomes.clear()
    return found

made = at_once(lambda: teams.create_team(competition, user, "One"))
team = Team.objects.get(competition=competition)
sent = at_once(lambda: receive(
    path, team=Team.objects.get(pk=team.pk), author=user, kind="images", original_name="a.zip"))
print(json.dumps([made, sent, Submission.objects.filter(team=team).count(),
                  len(list(folder.glob("storage/submissions/*")))]))
"""


def test_eight_teams_and_eight_submissions_at_the_same_moment_keep_the_rules(tmp_path):
    folder = tmp_path / "A"
    write_new(folder)
    if database := os.environ.get("GENMEM_TEST_DATABASE"):
        (folder / "arena.toml").write_text(f'database = "{database}"')
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(a_zip(tmp_path / "a.zip"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made, sent, rows, files = json.loads(done.stdout)
    assert made == ["done"] + ["refused"] * 7
    assert sent == ["done"] * 3 + ["refused"] * 5
    assert (rows, files) == (3, 3)
