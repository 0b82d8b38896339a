import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from genmem.errors import InputError
from genmem.metrics import frechet
from genmem.metrics.frechet import fd, fd_infinity
from genmem.metrics.moments import Moments, moments


def features(count: int, dimension: int = 8, *, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    """Correlated, non-negative rows with a spread of variances, like pooled network features."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((dimension, dimension)) / dimension**0.5
    scales = np.logspace(0, -1.5, dimension)
    return np.abs(random.standard_normal((count, dimension)) @ mixing * scales + 0.3 + shift)


def statistics(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return array.mean(0), np.cov(array, rowvar=False)


def slow_fd(generated: np.ndarray, train: np.ndarray) -> float:
    """‖μ_g − μ_t‖² + tr(Σ_g + Σ_t − 2 (Σ_g Σ_t)^½), with the matrix square root itself."""
    (mean_g, cov_g), (mean_t, cov_t) = statistics(generated), statistics(train)
    root = np.asarray(sqrtm(cov_g @ cov_t))
    return float(((mean_g - mean_t) ** 2).sum() + np.trace(cov_g + cov_t - 2 * root.real))


PAIRS = [(300, 400, 8), (700, 900, 64), (1500, 1200, 128)]


@pytest.mark.parametrize(("n", "m", "d"), PAIRS)
def test_fd_equals_the_formula_with_a_matrix_square_root(n: int, m: int, d: int):
    a, b = features(n, d), features(m, d, seed=1, shift=0.05)
    assert float(fd(generated=a, train=b)) == pytest.approx(slow_fd(a, b), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), PAIRS)
def test_fd_equals_torch_fidelitys(n: int, m: int, d: int):
    a, b = features(n, d), features(m, d, seed=1, shift=0.05)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(torch.from_numpy(a)),
        fid_features_to_statistics(torch.from_numpy(b)),
        verbose=False,
    )["frechet_inception_distance"]
    assert float(fd(generated=a, train=b)) == pytest.approx(theirs, rel=1e-6)
    single = fd(generated=a.astype(np.float32), train=b.astype(np.float32))
    assert float(single) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("module", ["pytorch_fid.fid_score", "cleanfid.fid"])
@pytest.mark.parametrize(("n", "m", "d"), PAIRS)
def test_fd_equals_pytorch_fids_and_clean_fids(module: str, n: int, m: int, d: int):
    peer = pytest.importorskip(module, reason="needs the extra `peers`")
    theirs = getattr(peer, "calculate_frechet_distance", None) or peer.frechet_distance
    a, b = features(n, d), features(m, d, seed=1, shift=0.05)
    value = theirs(*statistics(a), *statistics(b))
    assert float(fd(generated=a, train=b)) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 400), (400, 20), (64, 64), (65, 400)])
def test_fewer_rows_than_dimensions_give_the_singular_formula_and_a_note(n: int, m: int):
    a, b = features(n, 64), features(m, 64, seed=1, shift=0.05)
    result = fd(generated=a, train=b)
    assert result.value == pytest.approx(slow_fd_singular(a, b), rel=1e-9)
    few = [
        f"{role} ({count} rows)" for role, count in (("generated", n), ("train", m)) if count <= 64
    ]
    assert [note.partition(":")[0] for note in result.notes] == [" and ".join(few)][: len(few)]
    assert all("biased upward" in note for note in result.notes)
    # The same from moments, where only the singular covariance is known.
    assert float(fd(generated=moments(a), train=moments(b))) == pytest.approx(
        result.value, rel=1e-6
    )


def slow_fd_singular(generated: np.ndarray, train: np.ndarray) -> float:
    (mean_g, cov_g), (mean_t, cov_t) = statistics(generated), statistics(train)
    a = (generated - mean_g) / (len(generated) - 1) ** 0.5
    b = (train - mean_t) / (len(train) - 1) ** 0.5
    nuclear = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((mean_g - mean_t) ** 2).sum() + np.trace(cov_g + cov_t) - 2 * nuclear)


def test_constant_features_are_no_obstacle():
    a, b = features(300, 12), features(300, 12, seed=1, shift=0.05)
    a[:, 3] = b[:, 3] = 0.5
    a[:, 7] = 0.1
    assert float(fd(generated=a, train=b)) == pytest.approx(slow_fd_singular(a, b), rel=1e-6)
    assert float(fd(generated=b, train=a)) == pytest.approx(slow_fd_singular(a, b), rel=1e-6)


def test_two_constant_sets_are_as_far_apart_as_their_means():
    a, b = np.zeros((40, 3)), np.ones((50, 3))
    assert float(fd(generated=a, train=b)) == 3.0
    assert float(fd(generated=a[:2], train=b[:2])) == 3.0


def test_nearly_equal_sets_keep_their_digits():
    """√ of tiny eigenvalues would cost more than the distance itself."""
    random = np.random.default_rng(0)
    a = random.standard_normal((500, 40)) * np.logspace(0, -7, 40)
    b = a * (1 + 1e-6)
    exact = ((a.mean(0) - b.mean(0)) ** 2).sum() + 1e-12 * a.var(0, ddof=1).sum()
    assert float(fd(generated=a, train=b)) == pytest.approx(exact, abs=1e-13)


sizes = st.tuples(st.integers(2, 40), st.integers(2, 40), st.integers(1, 12))


@settings(deadline=None, max_examples=60)
@given(size=sizes, seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_fd_is_symmetric_and_zero_only_against_itself(size, seed: int, scale: float):
    n, m, d = size
    a, b = features(n, d, seed=seed) * scale, features(m, d, seed=seed + 1, shift=0.1) * scale
    size_of_rounding = 1e-10 * scale**2
    forward, backward = fd(generated=a, train=b), fd(generated=b, train=a)
    assert forward.value == pytest.approx(backward.value, rel=1e-9, abs=size_of_rounding)
    assert forward.value > 0
    itself = fd(generated=a, train=a[::-1].copy())
    assert 0 <= itself.value <= size_of_rounding


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_row_order_and_accumulation_do_not_matter(seed: int):
    random = np.random.default_rng(seed)
    a, b = features(50, seed=seed), features(60, seed=seed + 1)
    value = float(fd(generated=a, train=b))
    assert float(fd(generated=random.permutation(a), train=b)) == pytest.approx(value, rel=1e-9)
    accumulated = Moments()
    for part in np.array_split(b, 7):
        accumulated.update(part)
    assert float(fd(generated=moments(a), train=accumulated)) == pytest.approx(value, rel=1e-9)


def test_a_value_that_rounding_made_negative_is_zero_and_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        frechet, "gaussian_distance", lambda *_: {"mean_term": 0.0, "covariance_term": -1e-13}
    )
    result = fd(generated=features(20), train=features(20))
    assert result.value == 0.0
    assert "rounding" in result.notes[0]


def test_swapping_generated_and_train_shows_in_the_parts():
    """FD is symmetric, so its direction is in the counts and traces only."""
    a, b = features(50), 2 * features(60, seed=1)
    result = fd(generated=a, train=b)
    assert result.n == {"generated": 50, "train": 60}
    assert result.parts["trace_generated"] == pytest.approx(np.trace(np.cov(a, rowvar=False)))
    assert result.parts["trace_train"] == pytest.approx(np.trace(np.cov(b, rowvar=False)))


def test_tensors_give_what_arrays_give():
    a, b = features(50), features(60, seed=1)
    value = float(fd(generated=a, train=b))
    tensors = fd(generated=torch.from_numpy(a), train=torch.from_numpy(b))
    assert float(tensors) == value


def test_bad_input_is_refused_in_words():
    a = features(20)
    with pytest.raises(InputError, match="generated: expected at least 2 rows, got 1"):
        fd(generated=a[:1], train=a)
    with pytest.raises(InputError, match="differ in feature dimension"):
        fd(generated=a, train=moments(a[:, :5]))
    with pytest.raises(InputError, match="train: row 4 holds NaN"):
        fd(generated=a, train=np.where(np.arange(20)[:, None] == 4, np.nan, a))
    with pytest.raises(InputError, match="at least 30"):
        fd_infinity(generated=a, train=a)


def slow_fd_infinity(generated: np.ndarray, train: np.ndarray, seed: int) -> float:
    count = len(generated)
    sizes = np.linspace(min(5000, count // 2), count, 15).astype(int)
    random = np.random.default_rng(seed)
    values = [slow_fd(generated[random.permutation(count)[:size]], train) for size in sizes]
    design = np.stack([np.ones(15), 1 / sizes], axis=1)
    return float(np.linalg.lstsq(design, np.array(values), rcond=None)[0][0])


def test_fd_infinity_equals_a_slow_fit():
    a, b = features(400), features(500, seed=1, shift=0.05)
    result = fd_infinity(generated=a, train=b, seed=3)
    assert result.value == pytest.approx(slow_fd_infinity(a, b, 3), rel=1e-8)
    assert len(result.parts["points"]) == 15
    assert result.parts["points"][-1]["fd"] == pytest.approx(float(fd(generated=a, train=b)))
    assert result.seed == 3


def test_fd_infinity_takes_most_of_the_bias_away():
    a, b = features(600, 64, seed=1), features(20_000, 64, seed=2)
    assert abs(float(fd_infinity(generated=a, train=b))) < 0.3 * float(fd(generated=a, train=b))


def test_fd_infinity_works_and_says_so_below_the_dimension():
    a, b = features(80, 64, seed=1), features(300, 64, seed=2)
    result = fd_infinity(generated=a, train=b)
    assert np.isfinite(result.value)
    assert "rough" in result.notes[0]


def test_fd_infinity_fails_when_generated_and_train_are_swapped():
    a, b = features(100, 32, seed=1), features(2000, 32, seed=2, shift=0.02)
    forward = fd_infinity(generated=a, train=b)
    assert forward.value != pytest.approx(float(fd_infinity(generated=b, train=a)), rel=1e-3)
    assert forward.parts["points"][-1]["n"] == 100


def test_fd_infinity_is_the_same_for_the_same_seed_and_another_for_another():
    a, b = features(100), features(100, seed=1)
    first = fd_infinity(generated=a, train=b, seed=1)
    assert first.to_dict() == fd_infinity(generated=a, train=moments(b), seed=1).to_dict()
    assert first.value != fd_infinity(generated=a, train=b, seed=2).value


@pytest.mark.parametrize("n", [20, 300])
def test_the_code_for_tensors_on_a_device_gives_what_the_code_for_arrays_gives(n: int):
    """Run on the CPU here, where tensors are otherwise taken as arrays."""
    arrays = frechet.gaussian(features(n, 64)), frechet.gaussian(features(200, 64, seed=1))
    tensors = [
        frechet.Gaussian(
            side.count,
            torch.from_numpy(side.mean),
            None if side.covariance is None else torch.from_numpy(side.covariance),
            None if side.root is None else torch.from_numpy(side.root),
        )
        for side in arrays
    ]
    expected = frechet.gaussian_distance(*arrays)
    assert frechet.gaussian_distance(*tensors) == pytest.approx(expected, rel=1e-9)
    assert frechet.gaussian_distance(tensors[0], arrays[1]) == pytest.approx(expected, rel=1e-9)
    singular = [frechet.gaussian(moments(features(40, 64, seed=seed))) for seed in (1, 2)]
    tensors = [
        frechet.Gaussian(s.count, torch.from_numpy(s.mean), torch.from_numpy(s.covariance))
        for s in singular
    ]
    expected = frechet.gaussian_distance(*singular)
    assert frechet.gaussian_distance(*tensors) == pytest.approx(expected, rel=1e-6)
