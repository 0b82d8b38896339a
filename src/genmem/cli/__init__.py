"""The command line: one short file per command, which imports what it needs when it runs.

app.py                 runs a command line; exit codes and error messages
commands.py            all commands, registered
examples.py            the examples at the end of each help text
options.py             the options that several commands share
parsing.py             parsers of option values
outputs.py             output files and directories
console.py             results and notes on the terminal
exit_codes.py          exit codes of commands that do not complete
score.py               `genmem score`
compare.py             `genmem compare`
workers.py             `--ray`, `--workers` and `--dry-run`
tau.py                 its threshold, from a number or from `genmem calibrate`
audit.py               `genmem audit`
report.py              `genmem report`
query.py               `genmem query`
reference.py           `genmem reference`, and its `add`, `merge`, `verify`, `show` and `export`
duplicates.py          `genmem duplicates`
calibrate.py           `genmem calibrate`
analyze.py             `genmem analyze`
features.py            `genmem features`
backbones.py           `genmem backbones`, and its `fetch` and `check`
cheat.py               `genmem cheat`
demo.py                `genmem demo`
train.py               `genmem train`
train_gan.py           `genmem train gan`
train_diffusion.py     `genmem train diffusion`
train_sample.py        `genmem train sample`
config_options.py      options of a command made from a configuration model
training.py            what the commands that train have in common
study.py               `genmem study`
study_rejection.py     `genmem study rejection`
study_denoiser.py      `genmem study denoiser`
study_emm.py           `genmem study emm`
study_runs.py          where the runs of a study are done; what an interrupt prints
arena.py               `genmem arena`
submit.py              `genmem submit`
"""
