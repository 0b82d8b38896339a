"""Every public function that takes features, given every kind of array: right, or refused."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

import genmem
from genmem.arrays import as_array, as_distances, as_labels
from genmem.errors import InputError, UsageError
from genmem.training.rejection.rejection import MemorizationRejection

from .kinds import REFUSED, SHORT, USABLE, G, H, N, T, refusal


def with_metric(name, **more):
    return lambda g=G, t=T: float(getattr(genmem, name)(generated=g, train=t, **more))


def from_batches(accumulator):
    def compute(g=G, t=T):
        running = accumulator(train=t)
        running.update(g)
        return float(running.compute())

    return compute


def moments(g=G, t=T):
    running = genmem.Moments()
    running.update(t)
    running.update(g)
    return float(running.compute()[1].sum())


def nearest(g=G, t=T):
    return float(np.asarray(genmem.nearest(g, t).distances).sum())


def nearest_in_parts(g=G, t=T):
    search = genmem.NearestNeighbors(g)
    search.update(t)
    return float(np.asarray(search.compute().distances).sum())


def score(g=G, t=T):
    return float(
        genmem.score(generated=g, train=t, metrics=["memorization_distance"])[
            "memorization_distance"
        ]
    )


def running_score(g=G, t=T):
    running = genmem.RunningScore(train=t, metrics=["kd"])
    running.update(g)
    return float(running.compute()["kd"])


def audit(g=G, t=T):
    with genmem.audit(generated=g, train=t, test=H) as result:
        return float(result.p_values.sum())


def compare(g=G, t=T):
    result = genmem.compare({"first": g, "second": G}, train=t, metrics=["fd"])
    return sum(float(score["fd"]) for score in result.scores.values())


def rejection(g=G, t=T):
    # Only training rows are arrays of features here; g goes the same way.
    return sum(MemorizationRejection(rows, backbone=torch.nn.Identity()).tau for rows in (g, t))


def loaded(g=G, t=T):
    return float(sum(genmem.load_features(rows).array.sum() for rows in (g, t)))


def reference(g=G, t=T):
    with tempfile.TemporaryDirectory() as folder:
        built = genmem.build_reference(train=t, test=g, out=Path(folder) / "train.genmem")
        return float(
            sum(built.space("features").features(role).sum() for role in ("train", "test"))
        )


DOORS = {
    "authpct": with_metric("authpct"),
    "c_t": with_metric("c_t", test=H),
    "cmmd": with_metric("cmmd"),
    "copied_fraction": with_metric("copied_fraction", test=H),
    "coverage": with_metric("coverage"),
    "density": with_metric("density"),
    "fd": with_metric("fd"),
    "fd_infinity": with_metric("fd_infinity"),
    "fd_ratio": with_metric("fd_ratio", test=H),
    "fd_unbiased": with_metric("fd_unbiased"),
    "kd": with_metric("kd", subsets=3),
    "memorization_distance": with_metric("memorization_distance"),
    "memorization_ratio": with_metric("memorization_ratio"),
    "mifid": with_metric("mifid", tau=0.5),
    "nn_quantiles": with_metric("nn_quantiles", test=H),
    "precision": with_metric("precision"),
    "realism": with_metric("realism"),
    "recall": with_metric("recall"),
    "vendi": lambda g=G, t=T: sum(float(genmem.vendi(generated=rows)) for rows in (g, t)),
    "inception_score": lambda g=G, t=T: sum(
        float(genmem.inception_score(logits=rows, splits=2)) for rows in (g, t)
    ),
    "MemorizationDistance": from_batches(genmem.MemorizationDistance),
    "Moments": moments,
    "nearest": nearest,
    "NearestNeighbors": nearest_in_parts,
    "load_features": loaded,
    "score": score,
    "RunningScore": running_score,
    "audit": audit,
    "compare": compare,
    "MemorizationRejection": rejection,
    "build_reference": reference,
}
"""Public functions and classes: rows of generated images and of training images → one number."""

NO_FEATURES = {
    *("Audit", "InputSummary", "Interval", "Nearest", "Pair", "Result", "Score"),  # results
    *("GenmemError", "InputError", "NotComputedError", "UsageError", "WeightsError"),
    *(
        "backbones",
        "custom_backbone",
        "extract",
        "load_backbone",
        "torch_module",
    ),  # take images or names
    *(
        "open_images",
        "sample_images",
        "write_audit",
        "write_report",
        "Statistics",
        "load_statistics",
    ),
    *("duplicates", "write_dossier", "write_duplicates", "query", "write_query"),
    *("Query", "Reference", "open_reference"),
    *("Comparison", "comparison_latex", "comparison_markdown", "write_comparison"),
}


def test_every_public_name_is_walked_over_or_takes_no_features():
    assert set(genmem.__all__) == (set(DOORS) | NO_FEATURES) - {"MemorizationRejection"}


@pytest.mark.parametrize("door", DOORS)
def test_every_usable_kind_of_array_gives_the_value_of_a_plain_one(door, tmp_path):
    compute = DOORS[door]
    expected = compute()
    for number, (kind, make) in enumerate(USABLE.items()):
        (tmp_path / kind).mkdir()
        role, rows = (("g", G), ("t", T))[number % 2]
        found = compute(**{role: make(rows, tmp_path / kind)})
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-7), (kind, role)
    for kind, make in SHORT.items():
        found = compute(g=make(G), t=make(T))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-7), kind


@pytest.mark.parametrize("door", DOORS)
def test_every_other_kind_is_refused_in_one_line_that_names_the_kind(door):
    compute = DOORS[door]
    for kind, (make, reason) in REFUSED.items():
        for role, rows in (("g", G), ("t", T)):
            assert re.fullmatch(f".*({reason}).*", refusal(compute, **{role: make(rows)})), kind


@pytest.mark.parametrize(
    "door", [d for d in DOORS if d not in ("score", "RunningScore", "audit", "build_reference")]
)
def test_what_is_no_array_is_refused_with_the_way_to_make_one(door):
    for given in (G.tolist(), None, "rows", 3.0, {"a": G}):
        with pytest.raises((InputError, UsageError)):
            DOORS[door](g=given)


def test_a_batch_whose_values_are_too_large_for_float32_is_refused():
    running = genmem.RunningScore(train=T)
    with pytest.raises(InputError, match=r"row 0 holds .* too large for float32"):
        running.update(G.astype(np.float64) * 1e300)
    assert running.count == 0


def test_float8_is_computed_in_float32():
    short = torch.from_numpy(G).to(torch.float8_e4m3fn)
    expected = float(genmem.kd(generated=short.float(), train=T, subsets=3))
    assert float(genmem.kd(generated=short, train=T, subsets=3)) == expected


@pytest.mark.parametrize("metric", ["fd", "fd_infinity", "kd"])
@pytest.mark.parametrize("size", [1e120, 1e200])
@pytest.mark.parametrize("wide", [False, True], ids=["many rows", "more columns than rows"])
def test_features_whose_products_overflow_are_refused(metric, size, wide):
    generated, train = (np.tile(v, 10 if wide else 1).astype(float) * size for v in (G, T))
    message = refusal(getattr(genmem, metric), generated=generated, train=train)
    assert "products overflow" in message


def test_searches_and_sums_of_other_rows_cannot_be_merged():
    first, second = genmem.MemorizationDistance(train=T), genmem.MemorizationDistance(train=H)
    with pytest.raises(UsageError, match="same training features"):
        first.merge(second)
    first.merge(genmem.MemorizationDistance(train=torch.from_numpy(T)))
    with pytest.raises(UsageError, match="same queries"):
        genmem.NearestNeighbors(G).merge(genmem.NearestNeighbors(T))
    with pytest.raises(UsageError, match="from 0, got -5"):
        genmem.NearestNeighbors(G).update(T, offset=-5)


def test_a_set_that_is_compared_with_itself_is_itself():
    expected = genmem.nearest(G, G, exclude_self=True).indices
    assert np.array_equal(genmem.nearest(G, G.copy(), exclude_self=True).indices, expected)
    parts = genmem.NearestNeighbors(G, exclude_self=True)
    parts.update(G[30:], offset=30)
    parts.update(G[:30], offset=0)
    assert np.array_equal(parts.compute().indices, expected)
    for others in (T, G[::-1], G[:-1]):
        with pytest.raises(UsageError, match="itself"):
            genmem.nearest(G, others, exclude_self=True)


def test_a_running_score_refuses_sets_of_different_dimension_at_once():
    with pytest.raises(InputError, match="train has 6, test has 5"):
        genmem.RunningScore(train=T, test=H[:, :5])


def test_a_bound_of_nan_in_a_search_is_refused():
    with pytest.raises(UsageError, match="no NaN"):
        genmem.NearestNeighbors(G, within=np.full(N, np.nan))


def test_plain_arrays_and_tensors_share_their_memory():
    tensor = torch.from_numpy(G.copy()).requires_grad_()
    assert as_array(G, role="x") is G
    assert as_array(tensor, role="x").data_ptr() == tensor.data_ptr()
    assert np.shares_memory(as_array(np.ma.masked_array(G), role="x"), G)
    assert as_distances([1, 2], role="x").dtype == np.float64
    assert as_labels(range(3), role="x", count=3).tolist() == [0, 1, 2]


def test_statistics_refuse_masked_values():
    with pytest.raises(InputError, match="masked"):
        genmem.Statistics(mu=np.ma.masked_array(G[0], G[0] > 0), sigma=np.cov(G.T))
