"""Every public function that takes arrays, given every kind of array: right, or refused."""

import re
import warnings

import ml_dtypes
import numpy as np
import pyarrow
import pytest
import scipy.sparse
import torch

import genmem
from genmem import calibration
from genmem.arrays import as_array, as_distances, as_labels
from genmem.calibration.null_distribution import null_distribution
from genmem.errors import InputError, UsageError
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.nearest_quantiles import nn_quantiles_from
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.rejection.rejection import MemorizationRejection

N, D = 40, 6


class Converts:
    """An object that offers its values by `__array__` only, as JAX arrays and data frames do."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


class Exchanges:
    """An object that offers its values by DLPack only, as arrays on other devices do."""

    def __init__(self, values):
        self.values = torch.from_numpy(np.array(values))

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Fails:
    """An object whose conversion fails, as a CUDA array's does in NumPy."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion is not allowed")


def memory_map(values, folder):
    np.save(folder / "rows.npy", values)
    return np.load(folder / "rows.npy", mmap_mode="r")


def read_only(values):
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def nested(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that nested tensors are a prototype
        return torch.nested.nested_tensor([torch.from_numpy(row) for row in values])


def quantized(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that quantized tensors will go
        return torch.quantize_per_tensor(torch.from_numpy(values), 0.1, 0, torch.qint8)


def sparse_csr(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that they are in beta
        return torch.from_numpy(values).to_sparse_csr()


def with_mask(values):
    mask = np.zeros(values.shape, bool)
    mask[2] = True
    return np.ma.masked_array(values, mask)


def structured(values):
    return np.zeros(len(values), dtype=[("a", "f4"), ("b", "f4")])


def negative_view(values):
    """A real tensor that torch stores as the negative of another."""
    return torch.complex(torch.zeros(values.shape), torch.from_numpy(-values)).conj().imag


USABLE = {
    "float64": lambda v, _: v.astype(np.float64),
    "long double": lambda v, _: v.astype(np.longdouble),
    "big-endian": lambda v, _: v.astype(">f4"),
    "big-endian float64": lambda v, _: v.astype(">f8"),
    "Fortran order": lambda v, _: np.asfortranarray(v),
    "not contiguous": lambda v, _: np.repeat(v, 2, axis=1)[:, ::2],
    "backwards": lambda v, _: v[::-1].copy()[::-1],
    "read-only": lambda v, _: read_only(v),
    "memory map": memory_map,
    "matrix": lambda v, _: v.view(np.matrix),
    "nothing masked": lambda v, _: np.ma.masked_array(v),
    "object with __array__": lambda v, _: Converts(v),
    "object with a matrix": lambda v, _: Converts(v.view(np.matrix)),
    "object with DLPack": lambda v, _: Exchanges(v),
    "Arrow table": lambda v, _: pyarrow.table({str(i): c for i, c in enumerate(v.T)}),
    "tensor": lambda v, _: torch.from_numpy(v.copy()),
    "tensor that requires gradients": lambda v, _: torch.from_numpy(v.copy()).requires_grad_(),
    "parameter": lambda v, _: torch.nn.Parameter(torch.from_numpy(v.copy())),
    "tensor that is not contiguous": lambda v, _: torch.from_numpy(v.T.copy()).T,
    "tensor stored as a negative": lambda v, _: negative_view(v),
}
"""By kind: values float32 [n, d] and a folder → the same values as that kind of object."""

SHORT = {
    "float16": lambda v: v.astype(np.float16),
    "bfloat16 array": lambda v: v.astype(ml_dtypes.bfloat16),
    "float16 tensor": lambda v: torch.from_numpy(v).half(),
    "bfloat16 tensor": lambda v: torch.from_numpy(v).bfloat16(),
}
"""Kinds with fewer digits; the values in them are exact in both."""

REFUSED = {
    "masked": (lambda v: with_mask(v), "masked"),
    "object with masked values": (lambda v: Converts(with_mask(v)), "masked"),
    "SciPy sparse": (scipy.sparse.csr_array, "toarray"),
    "sparse tensor": (lambda v: torch.from_numpy(v).to_sparse(), "to_dense"),
    "sparse CSR tensor": (sparse_csr, "to_dense"),
    "meta tensor": (lambda v: torch.from_numpy(v).to("meta"), "holds no values"),
    "quantized tensor": (quantized, "dequantize"),
    "nested tensor": (nested, "nested"),
    "failing object": (lambda v: Fails(), "implicit conversion is not allowed"),
    "one row": (lambda v: v[0], "expected"),
    "a number": (lambda v: v[0, 0], "expected"),
    "object dtype": (lambda v: v.astype(object), "object"),
    "text": (lambda v: v.astype(str), "<U"),
    "complex": (lambda v: v.astype(np.complex64), "complex64"),
    "complex tensor": (lambda v: torch.from_numpy(v).cfloat(), "complex64"),
    "bool": (lambda v: v > 0, "bool"),
    "whole numbers": (lambda v: np.round(v * 9).astype(np.int64), r"int64.*astype\('float32'\)"),
    "uint8": (lambda v: np.abs(v * 9).astype(np.uint8), "uint8"),
    "whole-number tensor": (lambda v: torch.from_numpy(v * 9).int(), "int32"),
    "structured": (structured, "expected"),
    "no rows": (lambda v: v[:0], "expected|empty"),
    "no columns": (lambda v: v[:, :0], "expected|empty"),
    "NaN": (lambda v: np.where(v == v[3, 0], np.nan, v), "row 3"),
    "infinity": (lambda v: np.where(v == v[3, 0], np.float32(np.inf), v), "row 3"),
    "NaN tensor": (lambda v: torch.from_numpy(np.where(v == v[3, 0], np.nan, v)), "row 3"),
}
"""By kind: values → an object that no function may take, and what the message says."""


def refusal(function, *arguments, **keywords):
    """The message with which a call is refused; "" where it is not. Other errors are raised."""
    try:
        function(*arguments, **keywords)
    except (InputError, UsageError) as error:
        return str(error)
    return ""


def values(seed, rows=N):
    """Rows that bfloat16 and float16 hold exactly, none of them 0."""
    random = np.random.default_rng(seed)
    return (random.integers(1, 120, (rows, D)) / 16 * random.choice([-1, 1], (rows, D))).astype(
        "f4"
    )


G, T, H = values(0), values(1), values(2)
"""Generated, train and held-out rows."""


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


def rejection(g=G, t=T):
    # Only training rows are arrays of features here; g goes the same way.
    return sum(MemorizationRejection(rows, backbone=torch.nn.Identity()).tau for rows in (g, t))


def loaded(g=G, t=T):
    return float(sum(genmem.load_features(rows).array.sum() for rows in (g, t)))


DOORS = {
    "authpct": with_metric("authpct"),
    "c_t": with_metric("c_t", test=H),
    "copied_fraction": with_metric("copied_fraction", test=H),
    "coverage": with_metric("coverage"),
    "density": with_metric("density"),
    "fd": with_metric("fd"),
    "fd_infinity": with_metric("fd_infinity"),
    "kd": with_metric("kd", subsets=3),
    "memorization_distance": with_metric("memorization_distance"),
    "memorization_ratio": with_metric("memorization_ratio"),
    "mifid": with_metric("mifid", tau=0.5),
    "nn_quantiles": with_metric("nn_quantiles", test=H),
    "precision": with_metric("precision"),
    "recall": with_metric("recall"),
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
    "MemorizationRejection": rejection,
}
"""Public functions and classes: rows of generated images and of training images → one number."""

NO_FEATURES = {
    *("Audit", "InputSummary", "Interval", "Nearest", "Pair", "Result", "Score"),  # results
    *("GenmemError", "InputError", "UsageError", "WeightsError"),
    *(
        "backbones",
        "custom_backbone",
        "extract",
        "load_backbone",
        "torch_module",
    ),  # take images or names
    *("open_images", "write_audit", "write_report", "Statistics", "load_statistics"),
    *("duplicates", "write_dossier", "write_duplicates"),
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


@pytest.mark.parametrize("door", [d for d in DOORS if d not in ("score", "RunningScore", "audit")])
def test_what_is_no_array_is_refused_with_the_way_to_make_one(door):
    for given in (G.tolist(), None, "rows", 3.0, {"a": G}):
        with pytest.raises((InputError, UsageError)):
            DOORS[door](g=given)


def pixels(seed, rows=12):
    return np.random.default_rng(seed).integers(0, 256, (rows, 8, 10, 3), dtype=np.uint8)


USABLE_IMAGES = {
    "not contiguous": lambda p, _: np.repeat(p, 2, axis=2)[:, :, ::2],
    "Fortran order": lambda p, _: np.asfortranarray(p),
    "read-only": lambda p, _: read_only(p),
    "memory map": memory_map,
    "nothing masked": lambda p, _: np.ma.masked_array(p),
    "object with __array__": lambda p, _: Converts(p),
    "object with DLPack": lambda p, _: Exchanges(p),
    "tensor": lambda p, _: torch.from_numpy(p.copy()),
    "tensor, channels first": lambda p, _: torch.from_numpy(p.transpose(0, 3, 1, 2).copy()),
    "array, channels first": lambda p, _: p.transpose(0, 3, 1, 2),
    "tensor, channels first, a view": lambda p, _: torch.from_numpy(p.copy()).permute(0, 3, 1, 2),
}

REFUSED_IMAGES = {
    "masked": (with_mask, "masked"),
    "meta tensor": (lambda p: torch.from_numpy(p).to("meta"), "holds no values"),
    "sparse tensor": (lambda p: torch.from_numpy(p).to_sparse(), "to_dense"),
    "float32": (lambda p: p.astype(np.float32) / 255, "float32"),
    "float16": (lambda p: p.astype(np.float16) / 255, "float16"),
    "float16 tensor": (lambda p: torch.from_numpy(p).half() / 255, "float16"),
    "bfloat16 tensor": (lambda p: torch.from_numpy(p).bfloat16() / 255, "bfloat16"),
    "int64": (lambda p: p.astype(np.int64), "int64"),
    "bool": (lambda p: p > 127, "bool"),
    "complex": (lambda p: p.astype(np.complex64), "complex64"),
    "object dtype": (lambda p: p.astype(object), "object"),
    "one image": (lambda p: p[0], "single image"),
    "one image, channels first": (lambda p: p[0].transpose(2, 0, 1), "single image"),
    "one tensor, channels first": (
        lambda p: torch.from_numpy(p[0].transpose(2, 0, 1).copy()),
        "single image",
    ),
    "two dimensions": (lambda p: p.reshape(len(p), -1), "uint8"),
    "videos": (lambda p: p[None], "expected"),
    "no images": (lambda p: p[:0], "expected"),
    "five channels": (lambda p: np.concatenate([p, p[..., :2]], axis=3), "expected"),
    "failing object": (lambda p: Fails(), "implicit conversion is not allowed"),
}

P, Q = pixels(0), pixels(1)


def opened(g=P, t=Q):
    total = 0
    for images in (g, t):
        with genmem.open_images(images) as source:
            total += sum(int(np.asarray(source.content(i), int).sum()) for i in range(len(source)))
    return total


def score_pixels(g=P, t=Q):
    return float(genmem.score(generated=g, train=t, backbone="pixels", metrics=["kd"])["kd"])


def running_pixels(g=P, t=Q):
    running = genmem.RunningScore(train=t, backbone="pixels", metrics=["kd"])
    running.update(g)
    return float(running.compute()["kd"])


def audit_pixels(g=P, t=Q):
    with genmem.audit(generated=g, train=t, backbones=["pixels"]) as result:
        return float(result.p_values.sum())


IMAGE_DOORS = {
    "open_images": opened,
    "score": score_pixels,
    "RunningScore": running_pixels,
    "audit": audit_pixels,
}


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("door", IMAGE_DOORS)
def test_every_usable_kind_of_images_gives_the_value_of_plain_ones(door, tmp_path, own_cache):
    compute = IMAGE_DOORS[door]
    expected = compute()
    for number, (kind, make) in enumerate(USABLE_IMAGES.items()):
        (tmp_path / kind).mkdir()
        role, images = (("g", P), ("t", Q))[number % 2]
        found = compute(**{role: make(images, tmp_path / kind)})
        assert found == pytest.approx(expected, rel=1e-6), (kind, role)


@pytest.mark.parametrize("door", IMAGE_DOORS)
def test_every_other_kind_of_images_is_refused_in_one_line(door, own_cache):
    for kind, (make, reason) in REFUSED_IMAGES.items():
        for role, images in (("g", P), ("t", Q)):
            message = refusal(IMAGE_DOORS[door], **{role: make(images)})
            assert re.fullmatch(f".*({reason}).*", message), kind
            names = {"g": "generated|queries", "t": "train"}
            assert door == "open_images" or re.match(names[role], message), kind


class MeanColor(torch.nn.Module):
    """A backbone of three features."""

    def forward(self, images):
        return images.float().mean(dim=(2, 3))


def reject(train=P, images=None):
    reject = MemorizationRejection(train, backbone=MeanColor(), tau=0.01, cache=None)
    batch = torch.from_numpy(Q.transpose(0, 3, 1, 2).copy()) if images is None else images
    return reject(batch).distances.tolist()


@pytest.mark.parametrize("kind", [k for k in USABLE_IMAGES if k not in ("array, channels first",)])
def test_rejection_takes_the_same_training_images(kind, tmp_path):
    assert reject(USABLE_IMAGES[kind](P, tmp_path)) == pytest.approx(reject(), abs=1e-6)


@pytest.mark.parametrize("kind", [k for k in REFUSED_IMAGES if k != "two dimensions"])
def test_rejection_refuses_the_same_training_images(kind):
    make, _ = REFUSED_IMAGES[kind]
    with pytest.raises((InputError, UsageError)):
        reject(make(P))


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.full((4, 3, 8, 8), torch.nan), "NaN or infinity"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.int64), "int64"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.bool), "bool"),
        (torch.zeros(4, 3, 8, 8, device="meta"), "holds no values"),
        (torch.zeros(3, 8, 8), r"\[3, 8, 8\]"),
        (np.zeros((4, 3, 8, 8), np.uint8), "expected a tensor"),
    ],
)
def test_rejection_refuses_generated_images_that_say_nothing(images, reason):
    with pytest.raises(InputError, match=reason):
        reject(images=images)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_torch_has_not_is_refused(device):
    for call in (
        lambda: MemorizationRejection(T, backbone=torch.nn.Identity(), device=device),
        lambda: OptimalDenoiser(P.transpose(0, 3, 1, 2).copy(), device=device),
    ):
        with pytest.raises(UsageError, match=f"device: '{device}' is not available"):
            call()


def test_statistics_refuse_masked_values():
    with pytest.raises(InputError, match="masked"):
        genmem.Statistics(mu=np.ma.masked_array(G[0], G[0] > 0), sigma=np.cov(G.T))


def test_the_optimal_denoiser_refuses_masked_images():
    with pytest.raises(InputError, match="masked"):
        OptimalDenoiser(with_mask(P.transpose(0, 3, 1, 2).copy()))


DISTANCES = np.linspace(0.1, 0.9, 30)
OTHERS = np.linspace(0.2, 1.0, 30)

DISTANCE_DOORS = {
    "c_t_from_distances": lambda d: c_t_from_distances(generated=d, test=OTHERS).value,
    "copied_fraction_from": lambda d: (
        copied_fraction_from(generated=d, test=OTHERS, train_rows=9).value
    ),
    "nn_quantiles_from": lambda d: nn_quantiles_from(generated=d, test=d, train_rows=9).value,
    "auc": lambda d: calibration.auc(honest=OTHERS, cheating=d),
    "d_prime": lambda d: calibration.d_prime(honest=d, cheating=OTHERS),
    "dispersion": lambda d: calibration.dispersion(d).tau,
    "margins": lambda d: calibration.margins(honest=OTHERS, cheating=d).auc,
    "calibrate": lambda d: calibration.calibrate(honest=OTHERS, cheating=d, space="pixels").tau,
    "evaluate_threshold": lambda d: (
        calibration.evaluate_threshold(0.5, honest=OTHERS, cheating=d).caught
    ),
    "penalized_score": lambda d: float(
        calibration.penalized_score(fd=OTHERS, distance=d, tau=0.5).sum()
    ),
    "correlation": lambda d: calibration.correlation(fd=d, distance=OTHERS**2, group="").pearson,
    "sweep": lambda d: int(calibration.sweep(honest=d, cheating=OTHERS, taus=OTHERS).caught.sum()),
    "null_distribution": lambda d: float(null_distribution(d).values.sum()),
}


MAY_BE_EMPTY = ("evaluate_threshold", "sweep")
"""A group of a table may have no entries."""


@pytest.mark.parametrize("door", DISTANCE_DOORS)
def test_distances_are_taken_as_any_array_or_list_of_finite_numbers(door):
    compute = DISTANCE_DOORS[door]
    expected = compute(DISTANCES)
    usable = (
        DISTANCES.tolist(),
        torch.from_numpy(DISTANCES),
        np.ma.masked_array(DISTANCES),
        DISTANCES.astype(">f8"),
        Converts(DISTANCES),
        Exchanges(DISTANCES),
    )
    for given in usable:
        assert compute(given) == pytest.approx(expected, rel=1e-12)
    refused = (
        np.ma.masked_array(DISTANCES, DISTANCES > 0.5),
        list(np.ma.masked_array(DISTANCES, DISTANCES > 0.5)),
        np.where(DISTANCES > 0.5, np.nan, DISTANCES),
        [*DISTANCES[:5].tolist(), None],
        DISTANCES.astype(complex),
        DISTANCES.astype(object),
        DISTANCES.astype(str),
        DISTANCES > 0.5,
        DISTANCES[:, None],
        torch.from_numpy(DISTANCES).to("meta"),
        0.5,
        "0.5",
        None,
    )
    for given in refused:
        assert re.fullmatch(".+", refusal(compute, given)), given
    if door not in MAY_BE_EMPTY:
        assert re.fullmatch(".+", refusal(compute, DISTANCES[:0]))


def test_labels_that_are_missing_are_refused_and_no_class_of_their_own():
    labels = ["cat", "dog"] * (N // 2)
    masked = np.ma.masked_array(labels, [False] * (N - 1) + [True])
    holes = (masked, list(masked), [*labels[:-1], None], np.r_[np.arange(N - 1.0), np.nan])
    for given in holes:
        with pytest.raises(InputError, match=r"masked|missing"):
            genmem.c_t(
                generated=G,
                train=T,
                test=H,
                categories={"generated": given, "train": labels, "test": labels},
            )
        with pytest.raises(InputError, match=r"masked|missing"):
            MemorizationRejection(T, backbone=torch.nn.Identity(), categories=given)
    expected = genmem.c_t(
        generated=G,
        train=T,
        test=H,
        categories=dict.fromkeys(("generated", "train", "test"), labels),
    )
    found = genmem.c_t(
        generated=G,
        train=T,
        test=H,
        categories=dict.fromkeys(("generated", "train", "test"), Converts(np.array(labels))),
    )
    assert float(found) == float(expected)


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
