import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from genmem import arrays
from genmem.errors import InputError, UsageError
from genmem.metrics.inception_score import inception_score


def logits(count: int, classes: int = 20, *, seed: int = 0, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, classes)) * scale


@pytest.mark.parametrize("seed", [0, 2020])
@pytest.mark.parametrize(("count", "splits"), [(500, 10), (503, 7), (10, 10)])
def test_the_score_equals_torch_fidelitys_at_the_same_seed(count: int, splits: int, seed: int):
    array = logits(count)
    theirs = isc_features_to_metric(torch.from_numpy(array), splits=splits, rng_seed=seed)
    result = inception_score(logits=array, splits=splits, seed=seed)
    assert result.value == pytest.approx(theirs["inception_score_mean"], rel=1e-10)
    assert result.parts["deviation"] == pytest.approx(theirs["inception_score_std"], abs=1e-10)


def test_float32_tensors_and_small_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch):
    array = logits(300).astype(np.float32)
    value = float(inception_score(logits=array))
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 8 * 20 * 7)
    assert float(inception_score(logits=torch.from_numpy(array))) == pytest.approx(value, rel=1e-12)


def test_certain_and_varied_scores_the_number_of_classes_and_uniform_scores_one():
    certain = np.eye(10)[np.arange(1000) % 10] * 800.0
    assert float(inception_score(logits=certain, splits=1)) == pytest.approx(10)
    assert float(inception_score(logits=np.zeros((100, 10)))) == pytest.approx(1)


def test_scoring_train_in_place_of_generated_gives_another_number():
    generated, train = logits(200), logits(200, seed=1, scale=6.0)
    value = float(inception_score(logits=generated))
    assert value != pytest.approx(float(inception_score(logits=train)), rel=0.1)
    assert inception_score(logits=generated).n == {"generated": 200}


def test_few_rows_are_noted_and_too_few_refused():
    assert "biased downward" in inception_score(logits=logits(50)).notes[0]
    with pytest.raises(InputError, match="at least 10 rows, got 9"):
        inception_score(logits=logits(9))
    with pytest.raises(UsageError, match="splits"):
        inception_score(logits=logits(9), splits=0)
