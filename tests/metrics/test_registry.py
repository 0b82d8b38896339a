"""Every registry entry names a function, inputs and an interpretation that exist."""

import inspect
import subprocess
import sys

import pytest

from genmem.errors import UsageError
from genmem.metrics.registry import BUILT_IN, Metric, by_keyword, metric_names, metrics, resolve
from genmem.scoring.metric_inputs import MetricInputs

ENTRIES = list(BUILT_IN.values())


def attributes_of_inputs():
    return set(MetricInputs.__dataclass_fields__) | set(vars(MetricInputs))


@pytest.mark.parametrize("metric", ENTRIES, ids=lambda metric: metric.name)
def test_the_function_takes_the_inputs_as_keywords(metric):
    parameters = inspect.signature(resolve(metric.function)).parameters
    keywords = {*metric.inputs, *metric.optional, *(["names"] if metric.joint else [])}
    assert keywords <= set(parameters)
    required = {
        name for name, parameter in parameters.items() if parameter.default is parameter.empty
    }
    assert required <= keywords
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())


@pytest.mark.parametrize("metric", ENTRIES, ids=lambda metric: metric.name)
def test_every_input_is_an_attribute_or_another_metric(metric):
    known = attributes_of_inputs() | set(BUILT_IN)
    assert {*metric.inputs.values(), *metric.optional.values()} <= known


@pytest.mark.parametrize("metric", ENTRIES, ids=lambda metric: metric.name)
def test_every_entry_is_complete(metric):
    if ":" in metric.interpretation:
        assert callable(resolve(metric.interpretation))
    else:
        assert metric.interpretation.endswith(".")
    assert all((metric.title, metric.better, metric.source))
    assert metric.group in ("copying", "quality")


def test_what_a_metric_needs_follows_from_its_inputs():
    needs = {name: set(metric.needs) - {"train_rows"} for name, metric in BUILT_IN.items()}
    assert {name: of_metric for name, of_metric in needs.items() if of_metric} == {
        "copied_fraction": {"test"},
        "c_t": {"test"},
        "fd_ratio": {"test"},
        "mifid": {"tau"},
        "inception_score": {"logits"},
    }
    without_rows = {name for name, metric in BUILT_IN.items() if "train_rows" not in metric.needs}
    assert without_rows == {
        "fd",
        "fd_infinity",
        "fd_ratio",
        "fd_unbiased",
        "inception_score",
        "vendi",
    }


def test_names_are_taken_in_any_case_and_by_alias():
    assert metric_names(["FID", "kid", "c_t"]) == ("c_t", "fd", "kd")
    on_demand = {"cmmd", "fd_unbiased", "realism", "vendi"}
    assert metric_names(None) == tuple(name for name in metrics() if name not in on_demand)


@pytest.mark.parametrize("names", [["fdd"], [], "fd"])
def test_names_that_mean_no_metric_are_refused(names):
    with pytest.raises(UsageError, match="expected"):
        metric_names(names)


def test_an_input_can_have_another_name_as_a_keyword():
    inputs = by_keyword("seed", distances="generated_distances")
    assert inputs == {"seed": "seed", "distances": "generated_distances"}


def test_a_function_is_an_entry_too():
    def five():
        return 5

    metric = Metric(
        name="five",
        function=five,
        inputs={},
        title="Five",
        better="5",
        group="quality",
        interpretation="Always {value}.",
        source="this test",
    )
    assert resolve(metric.function)() == 5


def test_importing_the_registry_loads_no_numerical_library():
    code = (
        "import sys, genmem.metrics.registry; print({'numpy', 'torch', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"
