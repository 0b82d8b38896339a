"""Speed and memory of genmem beside its peers, in one run: `python -m benchmarks`."""
