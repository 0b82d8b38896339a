"""The command that runs a program in bubblewrap: what it sees, and what it may not do.

Outermost first: a private copy of the host's mounts (root only) → lower priority and few
processors → a user of its own (root only) → bubblewrap: namespaces, mounts, no capabilities, a
filter of system calls → prlimit → a shell that starts the program and counts the processes it
leaves running.

If the worker is root, the program runs as a user that exists nowhere else, and reaches folders
closed to others through mounts made for it alone. Otherwise it runs as the worker's user.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.sandbox import syscalls
from genmem.arena.sandbox.program import Limits, Program
from genmem.errors import UsageError

TOOLS = ("bwrap", "prlimit", "setpriv", "unshare", "mount", "taskset", "nice", "sh", "rm", "chmod")
"""What must be installed: bubblewrap, util-linux, coreutils and a shell."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

OWN_TASKS = 16
"""Processes of the sandbox itself, and room to notice that a program exceeds its limit."""

_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
FOLDERS = (
    *("usr", *_SYSTEM, "etc", "dev", "proc", "sys", "tmp", "var"),
    *("code", "inputs", "output", "scratch"),
)
"""Names of all folders at the root, except those of a Python environment."""

_FIRST_USER = 0x7000_0000
"""User ids from here on are unused: above those of containers, below the kernel's limit."""

_STAGING_FOLDERS = ("/run", "/mnt", "/srv", "/opt", "/media")

_OUTSIDE = """
set -eu
echo 1000 >/proc/self/oom_score_adj
if [ -n "$1" ]; then echo $$ >"$1/cgroup.procs"; fi
stage=$2
shift 2
if [ -n "$stage" ]; then
  mount -t tmpfs -o mode=0711,size=1m tmpfs "$stage"
  while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir "$stage/$2"; else : >"$stage/$2"; fi
    mount --bind "$1" "$stage/$2"
    shift 2
  done
fi
shift
exec "$@"
"""

_INSIDE = """
echo ready >&0
read -r go || exit 1
exec </dev/null
"$@"
code=$?
set -- /proc/[0-9]*
left=$(($# - 2))
if [ $left -gt 0 ]; then
  printf '\\n[sandbox] the program ended; its %s background processes were killed\\n' $left
fi
exit $code
"""


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, and its path in the sandbox."""

    source: Path
    place: str
    writable: bool = False


def has_own_user() -> bool:
    """Whether programs run as a user of their own, which only root can arrange."""
    return os.geteuid() == 0


def user_id() -> int:
    """The user id that programs of this supervisor have on the host."""
    return _FIRST_USER + os.getpid() if has_own_user() else os.geteuid()


def environment_mounts(environment: Path | None) -> list[Mount]:
    """Mounts of a Python environment and the installation it is made from, at their own paths."""
    if environment is None:
        return []
    folders = [environment.absolute(), environment.resolve()]
    settings = environment / "pyvenv.cfg"
    if settings.exists():
        pairs = (line.partition("=") for line in settings.read_text(encoding="utf-8").splitlines())
        home = next((Path(value.strip()) for name, _, value in pairs if name.strip() == "home"))
        folders += [home.parent, home.resolve().parent]
    folders.append((environment / "bin/python").resolve().parent.parent)
    required = [folder for folder in dict.fromkeys(folders) if not _is_system(folder)]
    for folder in required:
        # Otherwise a python in ~/bin would expose the whole home folder.
        if not (folder / "pyvenv.cfg").exists() and not any(folder.glob("lib*/python3*/os.py")):
            raise UsageError(
                f"expected {environment} to be made from a Python installation, but {folder} has "
                "neither pyvenv.cfg nor lib/python3*/os.py; create a new environment"
            )
    return [Mount(folder, str(folder)) for folder in required]


def _is_system(folder: Path) -> bool:
    return folder == Path("/") or folder.is_relative_to("/usr")


def own_mounts(program: Program, raw: Path) -> list[Mount]:
    """Mounts of this run: the program, its inputs, and the folder `raw` as its output."""
    return [
        Mount(program.folder, "/code"),
        *(Mount(path, f"/inputs/{name}") for name, path in sorted(program.inputs.items())),
        Mount(raw, "/output", writable=True),
    ]


def mounts(program: Program, raw: Path, etc: Path) -> list[Mount]:
    """All mounts but the system's own folders.

    Args:
        program: what to run.
        raw: folder of the host that becomes `/output`.
        etc: folder made by `write_etc`.
    """
    return [
        *own_mounts(program, raw),
        *environment_mounts(program.environment),
        *(Mount(file, f"/etc/{file.name}") for file in sorted(etc.iterdir())),
    ]


def write_etc(etc: Path) -> None:
    """Write the few files of `/etc` that programs need, without names of this host."""
    etc.mkdir()
    (etc / "passwd").write_text("sandbox:x:1000:1000:sandbox:/scratch:/bin/sh\n", encoding="utf-8")
    (etc / "group").write_text("sandbox:x:1000:\n", encoding="utf-8")
    (etc / "hosts").write_text("127.0.0.1 localhost sandbox\n::1 localhost\n", encoding="utf-8")
    (etc / "nsswitch.conf").write_text(
        "passwd: files\ngroup: files\nhosts: files\n", encoding="utf-8"
    )
    for file in etc.iterdir():
        file.chmod(0o644)


def options(
    program: Program, mounts: Sequence[Mount], *, status: int, seccomp: int | None
) -> list[str]:
    """The options of bubblewrap.

    Args:
        program: what to run.
        mounts: from `mounts`, with sources that the program's user can reach.
        status: descriptor to which bubblewrap writes its reports.
        seccomp: descriptor of the filter of system calls; None for no filter.
    """
    words = ["--unshare-all", "--unshare-user", "--disable-userns"]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    words += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]
    words += ["--json-status-fd", str(status)]
    words += [] if seccomp is None else ["--seccomp", str(seccomp)]
    words += ["--clearenv"]
    for name, value in variables(program.environment).items():
        words += ["--setenv", name, value]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        folder = Path("/", name)
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        else:
            words += ["--ro-bind-try", str(folder), str(folder)]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    words += ["--proc", "/proc", "--perms", "0755", "--size", "65536", "--tmpfs", "/dev"]
    for name in ("null", "zero", "full", "random", "urandom"):
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        words += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    scratch = ["--perms", "0700", "--size", str(program.scratch_bytes), "--tmpfs"]
    for name in ("/dev/shm", "/tmp", "/var/tmp"):
        # A real folder if an environment is to be mounted below it.
        is_needed = any(Path(mount.place).is_relative_to(name) for mount in mounts)
        words += [*scratch, name] if is_needed else ["--symlink", "/scratch", name]
    words += [*scratch, "/scratch"]
    words += ["--dir", "/inputs"]
    for mount in mounts:
        words += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.place]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/code"]


def variables(environment: Path | None) -> dict[str, str]:
    """All environment variables of a program."""
    first = f"{environment.absolute()}/bin:" if environment else ""
    return {
        "PATH": first + PATH,
        "HOME": "/scratch",
        "TMPDIR": "/scratch",
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def command(
    program: Program,
    limits: Limits,
    mounts: list[Mount],
    *,
    group: Path | None,
    status: int,
) -> tuple[list[str], list[int]]:
    """The command to execute, and the descriptors to pass with it (the caller closes them).

    Args:
        program: what to run.
        limits: what it may use.
        mounts: from `mounts`.
        group: the run's control group; None if there is none.
        status: descriptor to which bubblewrap writes its reports.
    """
    tool = {name: shutil.which(name, path=PATH) or name for name in TOOLS}
    staged = mounts
    words: list[str] = []
    stage = ""
    if has_own_user():
        stage = _staging_folder(mounts)
        words += [tool["unshare"], "--mount", "--propagation", "private"]
        staged = [
            Mount(Path(stage, str(index)), mount.place, mount.writable)
            for index, mount in enumerate(mounts)
        ]
    words += [tool["sh"], "-c", _OUTSIDE, "sandbox", str(group or ""), stage]
    if stage:
        words += [word for i, mount in enumerate(mounts) for word in (str(mount.source), str(i))]
    words += ["--", tool["nice"], "-n", "10", tool["taskset"], "-c", _processors(limits.cpus)]
    if has_own_user():
        user = str(user_id())
        words += [tool["setpriv"], "--reuid", user, "--regid", user, "--clear-groups"]
    descriptors = [status]
    seccomp = None
    if syscalls.is_supported():
        seccomp = _memory_file(syscalls.filter_program())
        descriptors.append(seccomp)
    # Options are passed in an anonymous file: every process inside could read a command line.
    option_words = options(program, staged, status=status, seccomp=seccomp)
    arguments = _memory_file("\0".join([*option_words, ""]).encode())
    descriptors.append(arguments)
    words += [tool["bwrap"], "--args", str(arguments), "--"]
    words += [tool["prlimit"], *_rlimits(limits, has_group=group is not None), "--"]
    words += ["/bin/sh", "-c", _INSIDE, "sandbox", *program.command]
    return words, descriptors


def _rlimits(limits: Limits, *, has_group: bool) -> list[str]:
    """The options of prlimit; without a control group they limit the memory of each process.

    That limit is higher than `memory_bytes`, so that the supervisor normally stops the program
    first and gives the reason; it stops programs that allocate everything at once.
    """
    words = [
        f"--nproc={limits.processes + OWN_TASKS}",
        f"--fsize={limits.file_bytes}",
        "--nofile=4096",
        "--core=0",
        "--msgqueue=0",
        "--memlock=65536",
    ]
    return words if has_group else [*words, f"--data={limits.memory_bytes * 5 // 4 + 2**26}"]


def _staging_folder(mounts: Iterable[Mount]) -> str:
    """A folder that can be mounted over, in the private mounts, without hiding a source."""
    sources = [mount.source.resolve() for mount in mounts]
    return next(
        stage
        for stage in _STAGING_FOLDERS
        if Path(stage).is_dir() and not any(path.is_relative_to(stage) for path in sources)
    )


def _processors(count: int) -> str:
    """A list of `count` processors for taskset, spread over supervisors by their process ids."""
    usable = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(usable)
    return ",".join(str(cpu) for cpu in (usable[first:] + usable[:first])[:count])


def _memory_file(data: bytes) -> int:
    """A descriptor of an anonymous file that holds `data`."""
    descriptor = os.memfd_create("sandbox")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def problem_here() -> str:
    """Why bubblewrap cannot be used on this machine; "" if it can."""
    if sys.platform != "linux":
        return f"expected Linux, found {sys.platform}"
    missing = [name for name in TOOLS if shutil.which(name, path=PATH) is None]
    if missing:
        return (
            f"expected {', '.join(missing)} in {PATH}; install bubblewrap "
            "(Debian: apt-get install bubblewrap), util-linux and coreutils"
        )
    return ""
