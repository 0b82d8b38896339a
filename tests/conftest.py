"""One thread for each process of the tests, no deadlines, Ctrl-C, and the longest files first."""

import os
import signal

# Before torch and NumPy are imported: the tests' networks are tiny, and two processes of tests
# with two threads each wait for one another on two cores. Processes that tests start inherit it.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from hypothesis import HealthCheck, settings  # noqa: E402

# How long an example takes depends on what else the machine does.
settings.register_profile("genmem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("genmem")

# A shell ignores Ctrl-C for what it starts in the background; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "arena/test_competition_lifecycle.py",
    "training/sweep/test_ray_backend.py",
    "training/gan/test_distributed.py",
    "arena/scoring/test_worker.py",
    "arena/scoring/test_code_runs.py",
    "training/rejection_study/test_study.py",
    "training/emm/test_trial.py",
    "training/sweep/test_local_backend.py",
    "training/gan/test_train.py",
    "training/diffusion/test_train.py",
    "arena/test_browser.py",
    "cli/test_golden.py",
)
"""Files with few long tests: begun last, they would keep one process busy after all others."""


def pytest_collection_modifyitems(items):
    def place(item):
        path = item.nodeid.partition("::")[0].removeprefix("tests/")
        return LONGEST.index(path) if path in LONGEST else len(LONGEST)

    items.sort(key=place)  # stable
