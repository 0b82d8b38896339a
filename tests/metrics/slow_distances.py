"""Slow versions of the nearest-neighbor metrics, written from their formulas."""

import math

import numpy as np


def euclidean(a, b):
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / (euclidean(a, 0 * a) * euclidean(b, 0 * b))


def slow_memorization_distance(generated, train):
    return np.mean([min(1 - abs(cosine(g, x)) for x in train) for g in generated])


def slow_memorization_ratio(generated, train):
    memorized = 0
    for g in generated:
        d1, d2 = sorted(euclidean(g, x) for x in train)[:2]
        memorized += d1 / d2 < 1 / 3
    return memorized / len(generated)


def slow_authpct(generated, train):
    authentic = 0
    for g in generated:
        distances = [euclidean(g, x) for x in train]
        i = int(np.argmin(distances))
        gap = min(euclidean(train[i], x) for j, x in enumerate(train) if j != i)
        authentic += distances[i] > gap
    return 100 * authentic / len(generated)
