"""`genmem study …`: experiments of many runs, each with one report."""

from __future__ import annotations

from genmem.cli.config_options import config_command
from genmem.cli.options import command_group
from genmem.cli.study_denoiser import denoiser
from genmem.cli.study_emm import emm
from genmem.cli.study_rejection import rejection

study = command_group("study", "Run a resumable multi-run experiment and write one report.")

study.command()(denoiser)
study.command(cls=config_command("genmem.training.emm.config.EmmConfig"))(emm)
study.command()(rejection)
