"""A score in a training loop: the training set is read once, images come in batches."""

import numpy as np

import genmem
from genmem.demo.digits import demo_digits, enlarge, sample_honestly

rng = np.random.default_rng(0)
train, labels, test = demo_digits(seed=0)

running = genmem.RunningScore(
    train=enlarge(train),  # a folder or archive as well
    test=enlarge(test),
    backbone="pixels",
    metrics=["fd", "c_t", "memorization_distance"],
)
for step in range(0, 4000, 1000):  # a stand-in for a training that begins to copy
    for _ in range(4):
        honest = sample_honestly(train, labels, count=60, rng=rng)
        copies = train[rng.integers(len(train), size=step // 100)]
        running.update(enlarge(np.concatenate([honest, copies])))  # uint8 [b, H, W, 3]
    result = running.compute()
    print(
        f"step {step}: FD {float(result['fd']):6.2f}  C_T {float(result['c_t']):6.2f}  "
        f"distance {float(result['memorization_distance']):.4f}  of {running.count} images"
    )
    running.reset()
