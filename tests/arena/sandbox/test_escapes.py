"""Programs that try to leave the sandbox, or to learn what is not theirs."""

import os
import socket
from pathlib import Path

import pytest

from genmem.arena.sandbox import start, wait

from .programs import SMALL, needs_bubblewrap, program, run_source

pytestmark = needs_bubblewrap


def test_a_program_reads_its_inputs_and_its_output_is_collected(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "image.txt").write_text("a training image")
    result = run_source(
        tmp_path,
        """
        from pathlib import Path
        Path("/output/images").mkdir()
        Path("/output/images/1.txt").write_text(Path("/inputs/train/image.txt").read_text())
        print("done")
        """,
        inputs={"train": tmp_path / "train"},
    )
    assert (result.outcome.ended, result.outcome.exit_code) == ("exited", 0)
    assert result.log.startswith("done\n")
    assert result.collected == ["images/1.txt"]
    assert (result.output / "images/1.txt").read_text() == "a training image"
    assert (result.output / "images/1.txt").stat().st_uid == os.geteuid()


def test_no_network_is_reached_by_tcp_udp_or_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        result = run_source(
            tmp_path,
            f"""
            import socket

            def run_source(name, action):
                try:
                    action()
                    print(name, "REACHED")
                except OSError as error:
                    print(name, "stopped:", error)

            run_source("loopback", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
            run_source("outside", lambda: socket.create_connection(("192.0.2.1", 80), 2))
            run_source("outside v6", lambda: socket.create_connection(("2001:db8::1", 80), 2))
            run_source("name", lambda: socket.getaddrinfo("example.org", 80))
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            run_source("udp", lambda: udp.sendto(b"x", ("192.0.2.1", 53)))
            run_source("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
            run_source("packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
            raise SystemExit(1)
            """,
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "REACHED" not in result.log
    assert result.log.count("stopped:") == 7
    assert "there is no network" in result.outcome.message


def test_an_abstract_socket_of_the_host_is_not_reached(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0genmem-test-{os.getpid()}")
        listener.listen()
        result = run_source(
            tmp_path,
            f"""
            import socket
            socket.socket(socket.AF_UNIX).connect("\\0genmem-test-{os.getpid()}")
            """,
        )
    assert "ConnectionRefusedError" in result.log


def test_private_files_and_other_submissions_are_not_there(tmp_path: Path) -> None:
    secret = tmp_path / "private.txt"
    secret.write_text("the private split")
    other = tmp_path / "other-submission"
    other.mkdir()
    (other / "main.py").write_text("another team's code")
    result = run_source(
        tmp_path,
        f"""
        import glob, os
        for path in ("{secret}", "{other}/main.py", "/etc/shadow", "/etc/hostname", "/var/log"):
            try:
                print("READ", open(path).read())
            except OSError as error:
                print("stopped:", error)
        for root, folders, files in os.walk("/"):
            folders[:] = [f for f in folders if f not in ("proc", "usr")]
            for name in files:
                if name in ("private.txt",):
                    print("FOUND", root, name)
        print("at the root:", sorted(os.listdir("/")))
        """,
    )
    assert result.log.count("stopped:") == 5
    assert "READ" not in result.log
    assert "FOUND" not in result.log
    assert "'mnt'" not in result.log
    assert "'home'" not in result.log


def test_a_path_of_dots_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("the private split")
    result = run_source(
        tmp_path,
        """
        import os
        for place in ("/code", "/output", "/inputs", "/scratch"):
            for name in ("private.txt", "etc/shadow", "root/.bashrc"):
                path = place + "/" + "../" * 20 + name
                for variant in (path, os.path.join(place, "..", name)):
                    try:
                        open(variant).read(); print("READ", variant)
                    except OSError:
                        pass
        for path in ("../escaped", "/output/../escaped", "/output/../../../../tmp/../escaped"):
            try:
                open(path, "w").write("x"); print("WROTE", path)
            except OSError as error:
                print("stopped:", error)
        """,
    )
    assert "READ" not in result.log
    assert "WROTE" not in result.log
    assert result.log.count("stopped:") == 3
    assert not list(tmp_path.rglob("escaped"))


def test_the_environment_of_the_worker_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_SECRET_KEY", "hunter2")
    result = run_source(
        tmp_path,
        """
        import glob, os
        print(dict(os.environ))
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
            print(path, open(path).read())
        """,
    )
    assert result.outcome.exit_code == 0
    assert "hunter2" not in result.log
    assert "ARENA_SECRET_KEY" not in result.log
    # Neither the supervisor's variables nor its command line, which names the host's folders.
    assert "/proc/1/environ PATH=" in result.log
    assert str(tmp_path) not in result.log


def test_nothing_but_output_and_scratch_can_be_written(tmp_path: Path) -> None:
    train = tmp_path / "train"
    train.mkdir()
    (train / "image.txt").write_text("a training image")
    result = run_source(
        tmp_path,
        """
        import os, sys
        for path in ("/inputs/train/image.txt", "/inputs/train/new", "/code/main.py", "/code/new",
                     "/usr/bin/new", "/etc/passwd", "/new", "/dev/new", "/proc/sys/kernel/hostname",
                     "/sys/new", sys.prefix + "/new", "/inputs/new", "/var/new"):
            try:
                open(path, "w").write("x"); print("WROTE", path)
            except OSError as error:
                print("stopped:", error)
        for action in (lambda: os.remove("/inputs/train/image.txt"),
                       lambda: os.chmod("/inputs/train/image.txt", 0o777),
                       lambda: os.rename("/code/main.py", "/output/main.py"),
                       lambda: os.link("/inputs/train/image.txt", "/output/link")):
            try:
                action(); print("WROTE")
            except OSError as error:
                print("stopped:", error)
        for path in ("/tmp/new", "/scratch/new", "/dev/shm/new", "/var/tmp/new", "/output/new"):
            open(path, "w").write("x")
        """,
        inputs={"train": train},
    )
    assert result.outcome.exit_code == 0, result.log
    assert "WROTE" not in result.log
    assert result.log.count("stopped:") == 17
    assert (train / "image.txt").read_text() == "a training image"


def test_two_runs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    source = """
        import os, time
        open("/scratch/mine", "w").write("x")
        open("/scratch/{name}", "w").write("x")
        time.sleep(0.5)
        seen = [name for name in os.listdir("/proc") if name.isdecimal()]
        print(sorted(os.listdir("/scratch")), len(seen))
    """
    records = []
    for name in ("one", "two"):
        submitted = program(tmp_path, source.format(name=name), name=name)
        records.append(tmp_path / f"{name}.json")
        start(submitted, SMALL, records[-1])
    for name, record in zip(("one", "two"), records, strict=True):
        outcome = wait(record, timeout=20).outcome
        assert outcome is not None
        assert f"['mine', '{name}'] 3" in outcome.log_path.read_text()
