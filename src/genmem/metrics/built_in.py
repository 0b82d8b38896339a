"""genmem's own metrics, an entry each. Importing it loads no numerical library.

A metric is a file with its function and an entry here: all else knows it by its entry. Its public
function, `genmem.NAME`, is the one called NAME in the module of the entry's `function`; it is
imported at first use, so that type checkers need its name and its import here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genmem.metrics.metric import Metric, by_keyword

if TYPE_CHECKING:
    from genmem.metrics.authpct import authpct
    from genmem.metrics.c_t import c_t
    from genmem.metrics.copied_fraction import copied_fraction
    from genmem.metrics.frechet import fd, fd_infinity
    from genmem.metrics.inception_score import inception_score
    from genmem.metrics.kid import kd
    from genmem.metrics.memorization_distance import memorization_distance
    from genmem.metrics.memorization_ratio import memorization_ratio
    from genmem.metrics.mifid import mifid
    from genmem.metrics.nearest_quantiles import nn_quantiles
    from genmem.metrics.prdc import coverage, density, precision, recall

__all__ = [
    "authpct",
    "c_t",
    "copied_fraction",
    "coverage",
    "density",
    "fd",
    "fd_infinity",
    "inception_score",
    "kd",
    "memorization_distance",
    "memorization_ratio",
    "mifid",
    "nn_quantiles",
    "precision",
    "recall",
]

_ENTRIES = (
    Metric(
        name="copied_fraction",
        function="genmem.metrics.copied_fraction:copied_fraction_from",
        inputs=by_keyword(
            "train_rows",
            generated="generated_closeness",
            test="test_closeness",
            nearest_train="generated_matches",
        ),
        title="Copied fraction of the images",
        better="0",
        group="copying",
        unit="fraction",
        interpretation="genmem.report.score.interpret_copying:copied_fraction",
        source="genmem: a mixture of copies and held-out images, exact beta-binomial interval",
    ),
    Metric(
        name="c_t",
        function="genmem.metrics.c_t:c_t_from_distances",
        inputs=by_keyword("train_rows", generated="generated_distances", test="test_distances"),
        title="Data-copying test C_T",
        better="near 0; negative is nearer",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:c_t",
        source="Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675), section 3",
    ),
    Metric(
        name="memorization_ratio",
        function="genmem.metrics.memorization_ratio:memorization_ratio_from",
        inputs=by_keyword("train_rows", "two_nearest", "train_duplicates"),
        title="Share of near-copies, d₁/d₂ test",
        better="lower",
        group="copying",
        unit="fraction",
        interpretation="genmem.report.score.interpret_copying:memorization_ratio",
        source="Gu et al. 2023 (arXiv 2310.02664); Yoon et al. 2023",
    ),
    Metric(
        name="memorization_distance",
        function="genmem.metrics.memorization_distance:memorization_distance_from",
        inputs=by_keyword("train_rows", "zero_rows", distances="generated_distances"),
        title="Mean distance to training set",
        better="not below held-out",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:memorization_distance",
        source="Bai et al. 2021 (arXiv 2106.03062)",
    ),
    Metric(
        name="nn_quantiles",
        function="genmem.metrics.nearest_quantiles:nn_quantiles_from",
        inputs=by_keyword("train_rows", generated="generated_distances"),
        optional=by_keyword(test="test_distances"),
        title="Distance quantiles, here the median",
        better="not below held-out",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:nn_quantiles",
        source="genmem: the distances behind `memorization_distance`",
    ),
    Metric(
        name="authpct",
        function="genmem.metrics.authpct:authpct_from",
        inputs=by_keyword("train", nearest_rows="two_nearest"),
        optional=by_keyword(gaps="train_gaps"),
        title="Authentic images, AuthPct",
        better="higher",
        group="copying",
        unit="percent",
        interpretation="genmem.report.score.interpret_copying:authpct",
        source="Alaa et al. 2022 (arXiv 2102.08921), authenticity",
    ),
    Metric(
        name="mifid",
        function="genmem.metrics.mifid:mifid_with_interval",
        inputs=by_keyword(
            "fd",
            "tau",
            "influence",
            "zero_rows",
            "seed",
            distance="memorization_distance",
            distances="generated_distances",
        ),
        title="Memorization-informed FID",
        better="lower",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:mifid",
        source="Bai et al. 2021 (arXiv 2106.03062)",
    ),
    Metric(
        name="fd",
        function="genmem.metrics.frechet_interval:fd_with_interval",
        inputs=by_keyword("influence", generated="generated_moments", train="train_moments"),
        optional=by_keyword("fd_infinity"),
        title="Fréchet distance",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd",
        source="Heusel et al. 2017 (arXiv 1706.08500), eq. 6",
        aliases=("fid",),
        inception=("fid", "Fréchet Inception distance, FID"),
    ),
    Metric(
        name="fd_infinity",
        function="genmem.metrics.frechet:fd_infinity",
        inputs=by_keyword("generated", "seed", train="train_moments"),
        title="Fréchet distance, no sample bias",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd_infinity",
        source="Chong and Forsyth 2020 (arXiv 1911.07023), section 3",
    ),
    Metric(
        name="kd",
        function="genmem.metrics.kid:kd",
        inputs=by_keyword("generated", "train", "seed"),
        title="Kernel distance",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:kd",
        source="Bińkowski et al. 2018 (arXiv 1801.01401), section 4",
        aliases=("kid",),
    ),
    Metric(
        name="inception_score",
        function="genmem.metrics.inception_score:inception_score",
        inputs=by_keyword("logits", "seed"),
        title="Inception score",
        better="higher",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:inception_score",
        source="Salimans et al. 2016 (arXiv 1606.03498), section 4",
    ),
    *(
        Metric(
            name=name,
            function="genmem.metrics.prdc:prdc_on_subsets",
            inputs=by_keyword("generated", "train", "seed"),
            optional=by_keyword(train_distances="subset_distances"),
            joint=True,
            title=name.capitalize(),
            better="higher",
            group="quality",
            unit="number" if name == "density" else "fraction",
            interpretation=f"genmem.report.score.interpret_quality:{name}",
            source=source,
        )
        for name, source in (
            ("precision", "Kynkäänniemi et al. 2019 (arXiv 1904.06991)"),
            ("recall", "Kynkäänniemi et al. 2019 (arXiv 1904.06991)"),
            ("density", "Naeem et al. 2020 (arXiv 2002.09797)"),
            ("coverage", "Naeem et al. 2020 (arXiv 2002.09797)"),
        )
    ),
)

BUILT_IN = {metric.name: metric for metric in _ENTRIES}
"""The metrics by name, in reading order: copying first, the most telling first."""
