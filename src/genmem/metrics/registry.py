"""What the metrics are called, here and in JSON. Nothing is loaded by importing this."""

METRIC_NAMES = (
    "fd",
    "fd_infinity",
    "inception_score",
    "kd",
    "precision",
    "recall",
    "density",
    "coverage",
    "memorization_distance",
    "mifid",
    "c_t",
    "copied_fraction",
    "memorization_ratio",
    "authpct",
    "nn_quantiles",
)
"""All metrics, in reading order."""
