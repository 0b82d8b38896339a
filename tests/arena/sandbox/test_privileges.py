"""Programs that try to become more than they are, or to reach other processes."""

import os
from pathlib import Path

from .programs import needs_bubblewrap, run_source

pytestmark = needs_bubblewrap


def test_processes_of_the_host_are_neither_seen_traced_nor_signalled(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        f"""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        print("pids", sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()))
        for pid in (1, {os.getpid()}, {os.getppid()}):
            if libc.ptrace(16, pid, None, None) == 0:
                print("TRACED", pid)
        buffer = ctypes.create_string_buffer(8)
        print("process_vm_readv", libc.process_vm_readv(1, buffer, 1, buffer, 1, 0))
        try:
            open("/proc/1/mem", "rb").read(1)
        except OSError as error:
            print("stopped:", error)
        signalled = 0
        for pid in range(2, 70000):
            if pid == os.getpid() or pid == os.getppid():
                continue
            try:
                os.kill(pid, 9)
                signalled += 1
            except ProcessLookupError:
                pass
        print("signalled", signalled)
        os.kill(1, 9)
        print("still here")
        """,
    )
    assert result.outcome.ended == "exited"
    assert "TRACED" not in result.log
    assert "process_vm_readv -1" in result.log
    assert "signalled 0" in result.log
    assert "still here" in result.log


def test_killing_everything_ends_the_program_and_not_its_supervisor(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os, time
        print("before", flush=True)
        time.sleep(0.3)
        os.kill(-1, 9)
        """,
    )
    # The shell above the program is killed by it; the supervisor is there to write it down.
    assert result.outcome.ended == "exited"
    assert result.outcome.exit_code == 137
    assert "SIGKILL" in result.log


def test_setuid_mounts_namespaces_and_devices_are_refused(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import ctypes, os, shutil, stat, subprocess
        libc = ctypes.CDLL(None, use_errno=True)

        def failed(name, result):
            print(name, "stopped" if result == -1 else "WORKED")

        for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000):
            failed(f"unshare {flag:#x}", libc.unshare(flag))
            # The same through clone: flags | SIGCHLD, x86_64 and aarch64.
            number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
            failed(f"clone {flag:#x}", libc.syscall(number, flag | 17, 0, 0, 0, 0))
        failed("clone3", libc.syscall(435, 0, 0))
        failed("mount", libc.mount(b"none", b"/scratch", b"tmpfs", 0, None))
        failed("umount", libc.umount2(b"/code", 2))
        failed("remount", libc.mount(b"none", b"/usr", None, 32 | 4096, None))
        failed("chroot", libc.chroot(b"/scratch"))
        failed("setuid", libc.setuid(0))
        failed("setgid", libc.setgid(0))
        failed("bpf", libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], 0, 0, 0))
        failed("io_uring", libc.syscall(425, 1, 0))
        for path, kind in (("/output/null", stat.S_IFCHR), ("/output/disk", stat.S_IFBLK)):
            try:
                os.mknod(path, kind | 0o666, os.makedev(1, 3)); print("mknod WORKED")
            except OSError as error:
                print("mknod stopped", error)
        for program in ("su", "mount", "passwd"):
            found = shutil.which(program)
            if found:
                shutil.copy(found, "/output/" + program)
                os.chmod("/output/" + program, 0o4755)
        done = subprocess.run(["su", "-c", "id"], capture_output=True, text=True)
        print("su stopped" if done.returncode else "su WORKED", done.stdout)
        print(open("/proc/self/status").read())
        """,
    )
    assert "WORKED" not in result.log
    assert result.log.count("stopped") == 20
    assert "CapEff:\t0000000000000000" in result.log
    assert "NoNewPrivs:\t1" in result.log
    for path in result.output.iterdir():
        assert path.stat().st_mode & 0o7777 == 0o644


def test_descriptors_of_the_supervisor_are_not_inherited(tmp_path: Path) -> None:
    result = run_source(
        tmp_path,
        """
        import os
        for pid in ("1", "self"):
            for name in os.listdir(f"/proc/{pid}/fd"):
                try:
                    print(pid, name, os.readlink(f"/proc/{pid}/fd/{name}"))
                except OSError:
                    pass
        """,
    )
    lines = [
        line.split(maxsplit=2) for line in result.log.splitlines() if line[:4] in ("1 ", "self")
    ]
    targets = {target for _, _, target in lines}
    assert all(
        target.startswith(("pipe:", "/dev/null", "anon_inode:", "/proc/")) for target in targets
    ), targets
    assert str(tmp_path) not in result.log
