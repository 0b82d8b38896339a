"""The Markdown page that `--write` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.sizes import Sizes
from benchmarks.table import Row, summary, to_markdown

_PAGE = """# Performance

Written by `{command}`; do not edit. {warning}{summary}

{table}

## How it was measured

- Each side runs in its own fresh process. genmem and the other side run alternately, {rounds} \
times. A ratio is computed within each repetition; the table gives the median, smallest and \
largest. Above 1x (or 100 %), genmem is faster. Times are medians of single runs.
- Shares of sgemm, of the engine and of the smaller search: the other side runs right before \
and right after each run of genmem, and the mean of its two rates counts.
- Memory is the highest resident memory that is not a mapped file (RssAnon, read from outside \
every 5 ms) minus that before the first run, when inputs and libraries are in memory. "Resident" \
is the total.
- Features are synthetic, seeded, and similar to those of Inception: non-negative, correlated, of \
full rank. The weights of Inception are random, the same for all sides. The pipeline reads CIFAR-10.
- "Values differ by" is the largest difference divided by the largest value. torch-fidelity sums \
the kernels of KID in the precision of the features, float32, and uses float32 means.
- The distance of torchmetrics is called with (generated, train). Its own MiFID passes \
(real, generated), which measures coverage of the training set, another quantity. It keeps \
features in float64; the row below passes float32 to its function.
- pytorch-fid and clean-fid resize differently, so their features are not compared. The default \
network of clean-fid is a TorchScript download; its PyTorch network was measured.

## The machine

{machine}
The run took {minutes:.0f} minutes.
"""


def to_document(
    rows: Sequence[Row], *, machine: Mapping[str, str], sizes: Sizes, minutes: float
) -> str:
    """The whole page."""
    command = "python -m benchmarks"
    if not sizes.evaluated:
        command += " --quick"
    elif sizes.scale_large >= 1_000_000:
        command += " --scale"
    return _PAGE.format(
        command=command + " --write docs/performance.md",
        warning="" if sizes.evaluated else "**Quick sizes: these are not results.** ",
        summary=summary(rows),
        table=to_markdown(rows),
        rounds=sizes.rounds,
        machine="".join(f"- {heading}: {text}\n" for heading, text in machine.items()),
        minutes=minutes,
    )
