"""Every way in which a command line can fail is one line on stderr and an exit code."""

import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from genmem import __version__
from genmem.cli import commands
from genmem.cli.app import run
from genmem.cli.examples import EXAMPLES
from genmem.errors import InputError, WeightsError


def genmem(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", "from genmem.cli.app import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def one_line(text):
    return text.startswith("genmem: ") and text.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "not enough memory. Use fewer"),
        (
            MemoryError("Unable to allocate 7.15 TiB for an array"),
            "not enough memory for 7.15 TiB.",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 b"),
            "not enough memory",
        ),
        (RuntimeError("Storage size calculation overflowed with sizes=[9]"), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), "not enough GPU memory"),
    ],
)
def test_too_little_memory_is_one_line_and_exit_code_2(error, message, capsys, monkeypatch):
    def refuse(arguments):
        raise error

    monkeypatch.setattr("genmem.cli.app._invoke", refuse)
    assert run(["score"]) == 2
    stderr = capsys.readouterr().err
    assert one_line(stderr)
    assert message in stderr


def test_any_other_runtime_error_is_a_bug_and_is_not_hidden(monkeypatch):
    def fail(arguments):
        raise RuntimeError("expected scalar type Long")

    monkeypatch.setattr("genmem.cli.app._invoke", fail)
    with pytest.raises(RuntimeError, match="scalar type"):
        run(["score"])


def test_the_version_comes_with_those_that_decide_numbers(capsys):
    import torch

    assert run(["--version"]) == 0
    first, python, libraries = capsys.readouterr().out.splitlines()
    assert first == f"genmem {__version__}"
    assert python.startswith(f"Python {platform.python_version()}, ")
    assert f"torch {torch.__version__.partition('+')[0]}" in libraries
    assert "onnxruntime" in libraries


def test_python_m_genmem_is_the_command():
    process = subprocess.run(
        [sys.executable, "-m", "genmem", "--version"], capture_output=True, text=True, check=True
    )
    assert process.stdout.startswith(f"genmem {__version__}\n")


def test_every_help_ends_with_examples(capsys):
    for name in EXAMPLES:
        assert run([*name.split(), "--help"]) == 0
        ending = capsys.readouterr().out.rpartition("Examples:\n")[2]
        assert [line.strip() for line in ending.splitlines()] == list(EXAMPLES[name])


def complete(words, monkeypatch, capsys):
    """What bash is offered for the last of `words`."""
    monkeypatch.setenv("_GENMEM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit) as ending:
        run([])
    assert ending.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["genmem", "sc"], ["score"]),
        (["genmem", "train", "g"], ["gan"]),
        (["genmem", "score", "a", "--bac"], ["--backbone"]),
        (["genmem", "score", "a", "--device", "c"], ["cpu", "cuda"]),
    ],
)
def test_the_shell_completes_commands_options_and_choices(words, offered, monkeypatch, capsys):
    assert complete(words, monkeypatch, capsys) == offered


def test_the_script_of_the_completion_is_shown(monkeypatch, capsys):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    with pytest.raises(SystemExit):
        run(["--show-completion"])
    script = capsys.readouterr().out
    assert "_GENMEM_COMPLETE=complete_bash" in script


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments, capsys):
    assert run(arguments) == 0
    output = capsys.readouterr().out
    assert all(f"  {name} " in output for name in ("score", "features", "backbones", "demo"))


def test_the_help_of_train_names_every_kind_of_model(capsys):
    assert run(["train", "--help"]) == 0
    output = capsys.readouterr().out
    assert "Train a GAN or a diffusion model, or sample from a trained GAN." in output


@pytest.mark.parametrize(
    "flag",
    ["--train", "--test", "--backbone", "--metrics", "--tau", "--seed", "--json", "--report",
     "--weights", "--skip-broken", "--device"],
)  # fmt: skip
def test_score_has_the_flags_of_the_design(flag, capsys):
    assert run(["score", "--help"]) == 0
    assert f"{flag} " in capsys.readouterr().out


@pytest.mark.parametrize(("command", "argument"), [("score", "GENERATED"), ("features", "SOURCE")])
def test_usage_shows_arguments_in_capitals(command, argument, capsys):
    assert run([command, "--help"]) == 0
    assert argument in capsys.readouterr().out.splitlines()[0]


def test_the_help_of_score_names_every_built_in_metric(capsys):
    from genmem.metrics.registry import BUILT_IN

    assert run(["score", "--help"]) == 0
    words = re.findall(r"\w+", capsys.readouterr().out)
    assert set(BUILT_IN) <= set(words)


def test_backbones_describes_every_backbone(capsys):
    from genmem.features import backbones

    assert run(["backbones"]) == 0
    output = capsys.readouterr().out
    assert all(backbone.description in output for backbone in backbones())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--version"], ["backbones"]])
def test_a_full_disk_behind_stdout_is_one_line_and_exit_code_2(arguments, unbuffered):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = subprocess.run(
            [sys.executable, "-c", "from genmem.cli.app import main; main()", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert process.returncode == 2
    assert process.stderr == "genmem: cannot read or write: no space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scor"], "No such command 'scor'"),
        (["score"], "Missing argument 'GENERATED'"),
        (["score", "a"], "Missing option '--train'"),
        (["score", "a", "--train", "b", "--tau", "near"], "Invalid value for '--tau'"),
        (["score", "a", "--train", "b", "--device", "tpu"], "'tpu' is not one of"),
        (["score", "a", "--train", "b", "--color"], "No such option: --color"),
        (["score", "a", "--train", "b", "--seed", "-1"], "Invalid value for '--seed'"),
        (["score", "a", "--train", "b", "--seed", str(2**32)], "Invalid value for '--seed'"),
        (["features", "a"], "Missing option '--out'"),
        (
            ["train", "sample", "a", "--out", "b.zip", "--samples", str(10**12)],
            "value for '--samples'",
        ),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert one_line(captured.err)
    assert message.lower() in captured.err.lower()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["score", "gen", "--train", "", "--test", "test"], "--train"),
        (["score", "gen", "--train", "train", "--test="], "--test"),
        (["score", "", "--train", "train"], "the command line"),
        (["score", "gen", "--train", "train", "--weights", " "], "--weights"),
        (["score", "gen", "--train", "train", "--json", ""], "--json"),
        (["audit", "gen", "--train", "", "--out", "o"], "--train"),
        (["audit", "gen", "--train", "train", "--out="], "--out"),
        (["features", "", "--out", "a.npy"], "the command line"),
        (["calibrate", ""], "the command line"),
        (["calibrate", "--train", "", "--test", "b", "--generated", "c"], "--train"),
        (["analyze", "", "--out", "o"], "the command line"),
        (["cheat", "replay", "--train", "", "--out", "a.zip"], "--train"),
        (["train", "gan", "--model", "dcgan", "--train", "", "--out", "r"], "--train"),
        (["train", "diffusion", "--train", "", "--out", "r"], "--train"),
        (["train", "sample", "", "--out", "a.zip"], "the command line"),
        (["study", "emm", "--train", "", "--out", "r"], "--train"),
        (["arena", "init", ""], "the command line"),
        (["arena", "create", "arena", ""], "the command line"),
        (["submit", ""], "the command line"),
    ],
)
def test_an_empty_value_is_refused_and_never_the_current_folder(
    arguments, name, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == f"genmem: {name}: expected a value, got an empty text.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "gen", "--train", "a", "--train", "b"],
        ["score", "gen", "--train=a", "--seed", "1", "--train=b"],
        ["train", "gan", "--model", "dcgan", "--out", "r", "--train", "a", "--train", "a"],
        ["study", "emm", "--train", "a", "--out", "r", "--train", "b"],
    ],
)
def test_a_set_given_twice_is_refused(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    expected = "genmem: --train: expected once, got it twice or more. Give one value.\n"
    assert capsys.readouterr().err == expected
    assert list(tmp_path.iterdir()) == []


def test_an_option_name_as_a_value_or_another_option_twice_is_no_repetition(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(["score", "gen", "--train", "--train", "--test", "b"]) == 2
    assert "twice" not in capsys.readouterr().err
    assert (
        run(
            [
                "audit",
                "gen",
                "--train",
                "a",
                "--backbone",
                "x",
                "--skip-broken",
                "--skip-broken",
                "--out",
                "o",
            ]
        )
        == 2
    )
    assert "twice" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a.zip: expected images,\nfound none\x1b[31m"), 2),
        (WeightsError("no weights"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_that_a_user_can_fix_is_one_printable_line(error, code, capsys, monkeypatch):
    def fail():
        raise error

    command = typer.Typer()
    command.command()(fail)
    command.callback()(lambda: None)
    monkeypatch.setattr(commands, "app", command)
    assert run(["fail"]) == code
    captured = capsys.readouterr()
    assert one_line(captured.err)
    assert "\x1b" not in captured.err


WAITS = """
import signal, sys, tempfile, time, typer
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's "&"
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and below nohup
from genmem.cli import commands
from genmem.cli.app import main
folder = sys.argv.pop()
commands.app = typer.Typer()
@commands.app.command()
def wait() -> None:
    with tempfile.TemporaryDirectory(dir=folder):
        print("ready", flush=True)
        time.sleep(60)
@commands.app.callback()
def _more() -> None: ...
sys.argv.append("wait")
main()
"""
"""A command that creates a temporary folder and then waits."""


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated by SIGTERM"),
        (signal.SIGHUP, 129, "terminated by SIGHUP"),
    ],
)
def test_a_signal_ends_the_command_cleanly_without_temporary_folders(
    number, code, message, tmp_path
):
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr == f"genmem: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_signals_that_are_ignored_stay_ignored():
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "from genmem.cli.app import _handle_signals; _handle_signals();"
        "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "True\n"


def test_an_interrupt_while_the_commands_are_imported_is_one_line():
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from genmem.cli.app import main\n"
        "main()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 130
    assert process.stderr == "genmem: interrupted\n"


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams_are_not_an_error(closed):
    code = "from genmem.cli.app import main; main()"
    process = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -c "$1" --version {closed}', sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


def test_an_unknown_backbone_ends_with_code_2_and_no_traceback(tmp_path):
    process = genmem("score", str(tmp_path), "--train", str(tmp_path), "--backbone", "incepton")
    assert process.returncode == 2
    assert process.stdout == ""
    assert one_line(process.stderr.splitlines(keepends=True)[-1])
    assert "Traceback" not in process.stderr


def test_help_imports_nothing_heavy():
    heavy = {"numpy", "torch", "PIL", "rich", "jinja2", "sklearn", "genmem.results"}
    code = (
        "import sys; from genmem.cli.app import run; run(['--help']);"
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stderr == "[]\n"


def test_a_closed_pipe_prints_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", "from genmem.cli.app import main; main()", "backbones"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert process.stderr == ""
    assert process.returncode == 141
