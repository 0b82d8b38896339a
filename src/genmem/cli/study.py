"""`genmem study …`: experiments of many runs, each with one report."""

from __future__ import annotations

from genmem.cli.options import command_group
from genmem.cli.study_denoiser import denoiser
from genmem.cli.study_emm import emm
from genmem.cli.study_rejection import rejection

study = command_group("study", "Run a resumable multi-run experiment and write one report.")

for _command in (denoiser, emm, rejection):
    study.command()(_command)
