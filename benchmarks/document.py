"""The Markdown page that `--write` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.sizes import Sizes
from benchmarks.table import Row, summary, to_markdown

_PAGE = """# Performance

Written by `{command}`; do not edit. {warning}{summary}

{table}

## How it was measured

- Every side runs in a fresh process of its own; genmem and the other run in turn, one at a \
time, {rounds} times. A ratio is taken within each repetition; the table gives their median, \
smallest and largest. Above 1x (or 100 %), genmem has the higher rate. Times are \
medians of single runs.
- Shares of sgemm, of the engine and of the smaller search: the other runs right before and \
right after each of genmem's runs, and the mean of its two rates counts.
- Memory is the highest resident memory that is not a mapped file (RssAnon, read from outside \
every 5 ms), less that before the first run, when inputs and libraries are in memory. "Resident" \
is the whole of it.
- Features are synthetic, seeded, and like Inception's: non-negative, correlated, of full rank. \
Inception's weights are random, one file for all sides. The images of the pipeline are CIFAR-10's.
- Values differ by: largest difference of the values found over the largest value. torch-fidelity \
sums KID's kernels in the features' precision, float32, and takes float32 means.
- torchmetrics' distance is called with (generated, train): its own MiFID hands over \
(real, generated), which measures how well the training set is covered, another quantity. It \
keeps features in float64; the row below gives its function float32.
- pytorch-fid and clean-fid resize by other rules, so their features are not compared. clean-fid's \
default network is a TorchScript download; its PyTorch network was measured.

## The machine

{machine}
The run took {minutes:.0f} minutes.
"""


def to_document(
    rows: Sequence[Row], *, machine: Mapping[str, str], sizes: Sizes, minutes: float
) -> str:
    """The whole page."""
    command = "python -m benchmarks"
    if not sizes.judged:
        command += " --quick"
    elif sizes.scale_large >= 1_000_000:
        command += " --scale"
    return _PAGE.format(
        command=command + " --write docs/performance.md",
        warning="" if sizes.judged else "**Quick sizes: these are not results.** ",
        summary=summary(rows),
        table=to_markdown(rows),
        rounds=sizes.rounds,
        machine="".join(f"- {heading}: {text}\n" for heading, text in machine.items()),
        minutes=minutes,
    )
