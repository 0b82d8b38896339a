"""Memorization rejection (arXiv 2210.12231) for any GAN training loop.

rejection.py    MemorizationRejection: which samples of a batch are rejected
options.py      modes, kinds of search, range of τ: what is checked without torch
threshold.py    τ from the training set: mean leave-one-out distance, and fixed values
statistics.py   acceptance rates and distances over a training
search.py       nearest training images of a batch: exact, pruned, faiss
embedding.py    features of images in the backbone that rejection compares them in
lightning.py    a Lightning callback
"""
