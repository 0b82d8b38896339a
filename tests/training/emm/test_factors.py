import pytest

from genmem.errors import InputError, UsageError
from genmem.training.emm.factors import (
    FACTORS,
    TrialConfig,
    apply_factor,
    build_config,
)

from .factories import TINY


@pytest.mark.parametrize(
    ("factor", "value", "is_set"),
    [
        ("dimension", "8", lambda c: c.training.network.image_size == 8),
        ("classes", "2", lambda c: c.classes == 2),
        ("diversity", "0.25", lambda c: c.second_share == 0.25),
        ("width", "8", lambda c: c.training.network.channels == 8),
        ("blocks", "3", lambda c: c.training.network.blocks == 3),
        ("skips", "4", lambda c: c.training.network.without_skips == ("2.0", "2.1")),
        ("skips", "all", lambda c: c.training.network.without_skips == ()),
        ("skips", "none", lambda c: len(c.training.network.without_skips) == 4),
        ("skips", "4.0+2", lambda c: c.training.network.without_skips == ("4.1",)),
        ("time-embedding", "fourier", lambda c: c.training.network.time_embedding == "fourier"),
        ("batch", "8", lambda c: c.training.batch_size == 8),
        ("weight-decay", "0.01", lambda c: c.training.weight_decay == 0.01),
        ("ema", "0", lambda c: c.training.ema_decay == 0),
        ("labels", "unique", lambda c: c.training.labels == "unique"),
        (
            "labels",
            "random:5",
            lambda c: c.training.labels == "random:5",
        ),
    ],
)
def test_a_factor_changes_what_it_names_and_nothing_else(factor, value, is_set):
    varied = apply_factor(TINY, factor, value)
    assert is_set(varied)
    before, after = flat(TINY.to_dict()), flat(varied.to_dict())
    changed = {name for name in before if before[name] != after[name]}
    assert len(changed) <= 1


def flat(document):
    training = document.pop("training")
    return {**document, **training.pop("network"), **training}


def test_every_factor_of_the_paper_is_there():
    assert set(FACTORS) == {
        "dimension",
        "classes",
        "diversity",
        "width",
        "blocks",
        "skips",
        "time-embedding",
        "batch",
        "weight-decay",
        "ema",
        "labels",
    }


@pytest.mark.parametrize(
    ("factor", "value", "words"),
    [
        ("color", "1", "factor: expected one of dimension"),
        ("width", "wide", "width: expected whole numbers, got 'wide'"),
        ("width", "6", "multiple of 4"),
        ("dimension", "7", "multiple of 2"),
        ("skips", "16", "skips: expected all, none, or those to keep"),
        ("skips", "none+4", "got 'none'"),
        ("labels", "some", "labels: expected none, true"),
        ("labels", "true:3", "random:C with C classes, or unique, got 'true:3'"),
        ("labels", "random:²", "got 'random:²'"),
        ("weight-decay", "nan", "weight_decay: expected a finite number, got nan"),
        ("batch", "65537", "batch_size: expected at most 65,536"),
        ("ema", "1", "ema_decay: expected a number below 1"),
        ("classes", "0", "classes: expected at least 1"),
        ("diversity", "2", r"a share in \[0, 1\]"),
        ("time-embedding", "none", "positional or fourier"),
    ],
)
def test_values_that_a_factor_cannot_take_are_refused(factor, value, words):
    with pytest.raises(UsageError, match=words):
        apply_factor(TINY, factor, value)


def test_a_configuration_comes_back_from_its_json():
    varied = apply_factor(apply_factor(TINY, "classes", "2"), "skips", "4")
    assert TrialConfig.from_dict(varied.to_dict()) == varied


def test_options_take_precedence_over_the_file_and_the_file_over_the_paper(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"network": {"channels": 64, "dropout": 0}, "steps": 9, "ema_decay": 0.5}')
    options = {"channels": 32, "size": 8, "epochs": None, "labels": "random:3"}
    config = build_config(file, options)
    assert (config.training.network.channels, config.training.network.image_size) == (32, 8)
    assert config.training.network.dropout == 0
    assert (config.training.steps, config.training.ema_decay) == (9, 0.5)
    assert config.training.labels == "random:3"
    assert config.training.batch_size == TrialConfig().training.batch_size
    assert build_config(file, {"epochs": 3}).training.steps is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "expected an object"),
        ("{", "not JSON"),
        ('{"color": 1}', "no setting 'color'"),
        ('{"network": {"color": 1}}', "no setting 'color'"),
        ('{"network": 3}', "network: expected an object"),
        ('{"steps": "many"}', r"config\.json: steps: expected a whole number, got 'many'"),
        ('{"batch_size": 16.5}', r"config\.json: batch_size: expected a whole number, got 16\.5"),
        ('{"batch_size": true}', "batch_size: expected a whole number, got True"),
        ('{"learning_rate": NaN}', "learning_rate: expected a finite number, got nan"),
        ('{"network": {"multipliers": 2}}', "multipliers: expected a list, got 2"),
        (
            '{"network": {"time_embedding": "foo"}}',
            "expected one of positional, fourier, got 'foo'",
        ),
        ('{"network": {"resampling": "foo"}}', "expected one of box, fir, got 'foo'"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_configuration_file_that_cannot_be_used_is_refused(tmp_path, content, words):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=words):
        build_config(tmp_path / "config.json", {})


def test_attention_at_a_missing_resolution_is_refused_unless_it_is_the_default(
    tmp_path,
):
    file, small = tmp_path / "config.json", {"size": 8}
    file.write_text('{"network": {"multipliers": [1, 1], "attention": [16]}}')
    assert build_config(file, small).training.network.attention == (16,)
    file.write_text('{"network": {"multipliers": [1, 1], "attention": [7]}}')
    with pytest.raises(UsageError, match="attention: expected some of 8, 4"):
        build_config(file, small)
