"""Score, audit and features need nothing that only POSIX systems have."""

import os
import subprocess
import sys

WITHOUT_POSIX = """
import importlib.abc, os, signal, sys

MODULES = {"fcntl", "grp", "posix_ipc", "pwd", "resource", "syslog", "termios", "tty", "pty"}
NAMES = '''chown chroot ctermid fchdir fchmod fchown fdatasync fork forkpty getegid geteuid getgid
getgroups getloadavg getpgid getpgrp getpriority getresuid getsid getuid initgroups killpg lchown
lockf mkfifo mknod nice openpty pathconf pipe2 posix_fadvise posix_fallocate posix_spawn pread
preadv pwrite pwritev readv
register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile
setegid seteuid setgid setgroups setpgid setpriority setsid setuid statvfs sync sysconf tcgetpgrp
wait wait3 wait4 waitid writev'''.split()
SIGNALS = "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2"


class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}")


# These choose their POSIX half when they are imported, by sys.platform.
import asyncio, concurrent.futures, multiprocessing.context, multiprocessing.util, random
import shutil, socket, subprocess, tempfile, threading
import filelock, huggingface_hub, matplotlib.pyplot, numpy, onnxruntime, onnxscript, platformdirs
import pyarrow, rich.console, sklearn.datasets, sklearn.decomposition, sklearn.mixture, timm, torch

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in NAMES:
    if hasattr(os, name):
        delattr(os, name)
for name in SIGNALS.split():
    if hasattr(signal, name):
        delattr(signal, name)
"""

USE = """
import numpy as np
from pathlib import Path
from genmem.cli.app import run
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))
sets = ["--train", "digits/train", "--test", "digits/test"]
pages = ["--report", "r.html", "--json", "r.json"]
assert run(["score", "digits/copying", *sets, "--backbone", "pixels", *pages]) == 0
assert run(["audit", "digits/copying", *sets, "--backbone", "pixels@16", "--out", "audit"]) == 0
lite0 = ["--backbone", "efficientnet-lite0@32", "--out", "t.npy"]
assert run(["features", "digits/test", *lite0]) == 0
assert np.load("t.npy").shape == (400, 1280)
print(sorted(path.name for path in Path().iterdir()))
"""


def test_score_audit_and_features_run_without_what_only_posix_has(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + USE],
        cwd=tmp_path,
        env={**os.environ, "GENMEM_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    names = ["audit", "cache", "digits", "r.html", "r.json", "t.ids.json", "t.npy"]
    assert str(names) in process.stdout
