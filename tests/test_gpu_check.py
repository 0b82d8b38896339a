"""`scripts/gpu-check`: its table and its exit codes, on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from studies.gpu_check import __main__ as program
from studies.gpu_check import checks, training

ROOT = Path(__file__).parents[1]


def test_without_a_gpu_it_says_so_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu-check"])
    assert program.main() == 2
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_the_table_has_a_line_for_each_check_and_a_failure_is_an_exit_code(
    monkeypatch, capsys, passed, code
):
    def broken(*_):
        if not passed:
            raise RuntimeError("CUDA error:\nno kernel image")
        return checks.Row("x", True, "")

    for name in ("check_device", "check_features", "check_nearest", "check_score", "check_workers"):
        monkeypatch.setattr(program, name, broken)
    row = checks.Row("dcgan in full", True, "50 steps")
    monkeypatch.setattr(program, "check_training", lambda *_: [row])
    monkeypatch.setattr(sys, "argv", ["gpu-check", "--device", "cpu"])
    assert program.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 + 1 + 1 + 3 + 1 + 1
    failed = [line for line in lines if line.startswith("FAILED")]
    assert len(failed) == (0 if passed else 6)
    assert all("RuntimeError: CUDA error: no kernel image" in line for line in failed)


@pytest.mark.parametrize(
    "check",
    [
        lambda: checks.check_device("cpu"),
        lambda: checks.check_features("pixels@32", "cpu", checks.CPU_SIZES),
        lambda: checks.check_nearest("cpu", checks.CPU_SIZES),
        lambda: checks.check_score("cpu", checks.CPU_SIZES),
    ],
)
def test_a_check_passes_on_the_cpu(check):
    row = check()
    assert row.passed, row


def test_a_diffusion_model_and_a_gan_train_and_resume(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "GANS", ("sagan",))
    monkeypatch.setattr(training, "DIFFUSION", ("ddpm++",))
    training.train_all("cpu", "full", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all('"passed": true' in line for line in lines), lines


def test_the_script_is_executable_and_runs_the_module():
    script = ROOT / "scripts" / "gpu-check"
    assert os.access(script, os.X_OK)
    assert "python -m studies.gpu_check" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
