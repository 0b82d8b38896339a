"""FD from the statistics file (mu, sigma) of another tool, such as pytorch-fid or clean-fid."""

import numpy as np

import genmem

rng = np.random.default_rng(0)
train, generated = rng.normal(size=(2, 2000, 64))

# What the other tool would have written:
np.savez("train-statistics.npz", mu=train.mean(axis=0), sigma=np.cov(train, rowvar=False))

from_statistics = genmem.score(
    generated=generated, train="train-statistics.npz", metrics=["fd", "fd_infinity"]
)
from_rows = genmem.fd(generated=generated, train=train)
print("from the file", float(from_statistics["fd"]))
print("from the rows", float(from_rows))
