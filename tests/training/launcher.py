"""Programs of the tests that start processes of their own."""

import os
import subprocess
import sys


def run_program(program, *arguments):
    """Run it with one thread a process, to a good end."""
    done = subprocess.run(
        [sys.executable, program, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
