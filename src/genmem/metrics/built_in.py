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
    from genmem.metrics.cmmd import cmmd
    from genmem.metrics.copied_fraction import copied_fraction
    from genmem.metrics.fd_ratio import fd_ratio
    from genmem.metrics.fd_unbiased import fd_unbiased
    from genmem.metrics.frechet import fd, fd_infinity
    from genmem.metrics.inception_score import inception_score
    from genmem.metrics.kid import kd
    from genmem.metrics.memorization_distance import memorization_distance
    from genmem.metrics.memorization_ratio import memorization_ratio
    from genmem.metrics.mifid import mifid
    from genmem.metrics.nearest_quantiles import nn_quantiles
    from genmem.metrics.prdc import coverage, density, precision, recall
    from genmem.metrics.realism import realism
    from genmem.metrics.vendi import vendi

__all__ = [
    "authpct",
    "c_t",
    "cmmd",
    "copied_fraction",
    "coverage",
    "density",
    "fd",
    "fd_infinity",
    "fd_ratio",
    "fd_unbiased",
    "inception_score",
    "kd",
    "memorization_distance",
    "memorization_ratio",
    "mifid",
    "nn_quantiles",
    "precision",
    "realism",
    "recall",
    "vendi",
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
        optional=by_keyword("fd_infinity"),
        title="Memorization-informed FID",
        better="lower",
        group="copying",
        interpretation="genmem.report.score.interpret_copying:mifid",
        source="Bai et al. 2021 (arXiv 2106.03062)",
    ),
    Metric(
        name="fd",
        function="genmem.metrics.frechet_interval:fd_with_interval",
        inputs=by_keyword("influence", distance="generated_fd"),
        optional=by_keyword("fd_infinity"),
        title="Fréchet distance",
        better="lower",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd",
        source="Heusel et al. 2017 (arXiv 1706.08500), eq. 6",
        aliases=("fid",),
        second_names={
            "inception": ("fid", "Fréchet Inception distance, FID"),
            "inception-clean": ("clean_fid", "FID of clean-fid"),
            "inception-pytorch-fid": ("pytorch_fid", "FID of pytorch-fid"),
            "inception-spatial": ("sfid", "Spatial FID, sFID"),
        },
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
        name="fd_unbiased",
        function="genmem.metrics.fd_unbiased:fd_unbiased_from",
        inputs=by_keyword("generated", "influence", "seed", train="train_moments"),
        title="Fréchet distance, bias-corrected",
        better="lower",
        group="quality",
        by_default=False,
        interpretation="Without the bias in the number of generated images the Fréchet distance is "
        "{value}; the interval is of that value.",
        source="genmem: Chong and Forsyth 2020 (arXiv 1911.07023), with balanced subsets",
    ),
    Metric(
        name="fd_ratio",
        function="genmem.metrics.fd_ratio:fd_ratio_from",
        inputs=by_keyword(ratio="test_ratio"),
        title="FD relative to held-out images",
        better="near 1",
        group="quality",
        interpretation="genmem.report.score.interpret_quality:fd_ratio",
        source="FDr, 2026 (arXiv 2604.28190): FD over FD of validation images",
    ),
    Metric(
        name="kd",
        function="genmem.metrics.kid_interval:kd_with_interval",
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
        inputs=by_keyword("logits", "seed", split_rows="inception_split_rows"),
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
            inputs=by_keyword(
                "generated",
                "train",
                "seed",
                "precision_neighborhood",
                "density_neighborhood",
                rows="subset_rows",
            ),
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
    Metric(
        name="realism",
        function="genmem.metrics.realism:realism_on_subset",
        inputs=by_keyword("generated", "train", "seed"),
        title="Realism of the median image",
        better="higher",
        group="quality",
        by_default=False,
        interpretation="genmem.report.score.interpret_quality:realism",
        source="Kynkäänniemi et al. 2019 (arXiv 1904.06991), eq. 3",
    ),
    Metric(
        name="vendi",
        function="genmem.metrics.vendi:vendi",
        inputs=by_keyword("generated", "seed"),
        optional=by_keyword("train"),
        title="Vendi score",
        better="as of train",
        group="quality",
        by_default=False,
        interpretation="genmem.report.score.interpret_quality:vendi",
        source="Friedman and Dieng 2022 (arXiv 2210.02410)",
    ),
    Metric(
        name="cmmd",
        function="genmem.metrics.cmmd:cmmd",
        inputs=by_keyword("generated", "train"),
        title="CMMD",
        better="lower",
        group="quality",
        by_default=False,
        interpretation="A thousand times the squared MMD of unit features is {value}; 0 means "
        "equal. Published values are of CLIP ViT-L/14 at 336 pixels.",
        source="Jayasumana et al. 2024 (arXiv 2401.09603), section 4",
    ),
)

BUILT_IN = {metric.name: metric for metric in _ENTRIES}
"""The metrics by name, in reading order: copying first, the most telling first."""
