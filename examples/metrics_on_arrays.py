"""Metrics on feature arrays [n, d] of your own: NumPy, torch, or what converts to them."""

import numpy as np

import genmem

rng = np.random.default_rng(0)
train, test = rng.normal(size=(2, 1000, 32))
honest = rng.normal(size=(500, 32))
copies = train[:50] + rng.normal(scale=0.05, size=(50, 32))
generated = np.concatenate([honest[:450], copies])  # one in ten is a copy

print("FD", float(genmem.fd(generated=generated, train=train)))
print("KD", float(genmem.kd(generated=generated, train=train, subset_size=200)))
print("C_T", float(genmem.c_t(generated=generated, train=train, test=test)))

share = genmem.copied_fraction(generated=generated, train=train, test=test)
print(f"copied {share.value:.1%} ({share.interval.low:.1%} to {share.interval.high:.1%})")

neighbors = genmem.nearest(generated, train, k=1)  # exact
suspects = np.argsort(neighbors.distances[:, 0])[:5]
print("closest rows", suspects, "to training rows", neighbors.indices[suspects, 0])
