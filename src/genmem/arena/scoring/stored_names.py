"""Names of the files that scoring keeps in storage.

    logs/<submission>.log                the output of submitted code
    features/<submission>/<space>.npy    float32 [n, d]
    distances/<submission>/<space>.npz   distance float32 [n] to the nearest training image, its row
                                         train int64 [n], names [n]
    splits/<space>/train.npy              float32 [m, d]
    splits/<space>/train.json             the names of the training images, in the same order
    splits/<space>/reference-<hash>.npy   float32, if the reference images are another set

<space> is a short hash of what distances depend on: the backbone, its weights and the content of
the training images. A change of τ, ε or the reference images keeps everything computed in a space.
"""

from __future__ import annotations

import uuid

from genmem.arena.submissions.models import Submission


def log_name(submission: Submission) -> str:
    """The output of a submission's program."""
    return f"logs/{submission.pk}.log"


def features_name(submission: uuid.UUID, space: str) -> str:
    """A submission's features in a space."""
    return f"features/{submission}/{space}.npy"


def distances_name(submission: uuid.UUID, space: str) -> str:
    """A submission's distances to the training images in a space."""
    return f"distances/{submission}/{space}.npz"


def train_name(space: str) -> str:
    """The features of the training images in a space."""
    return f"splits/{space}/train.npy"


def train_ids_name(space: str) -> str:
    """The names of the training images in a space."""
    return f"splits/{space}/train.json"


def reference_name(space: str, reference: str) -> str:
    """The features of the reference images; those of the training images if `reference` is ""."""
    return f"splits/{space}/reference-{reference}.npy" if reference else train_name(space)
