"""The metrics of a plan, each computed as its registry entry says, shared work done once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genmem.errors import InputError
from genmem.metrics.registry import Metric, metrics, resolve
from genmem.results import Result
from genmem.scoring.metric_inputs import MetricInputs
from genmem.scoring.plan import Plan


def compute_metrics(inputs: MetricInputs, plan: Plan) -> tuple[dict[str, Result], dict[str, str]]:
    """Compute the metrics of `plan`, in its order.

    Returns:
        The results by name; and, where the metrics were not chosen by name, a sentence by name
        on each that these data do not allow.

    Raises:
        InputError: a metric chosen by name cannot be computed on these data.
    """
    computation = _Computation(inputs, plan)
    left_out: dict[str, str] = {}
    for name in plan.names:
        try:
            computation.result(name)
        except InputError as error:
            if plan.chosen:
                raise
            left_out[name] = f"{name} was left out: {error}"
    results = computation.results
    return {name: results[name] for name in plan.names if name in results}, left_out


class _Computation:
    """Results by name, each computed when it is first wanted."""

    def __init__(self, inputs: MetricInputs, plan: Plan) -> None:
        self.inputs = inputs
        self.plan = plan
        self.metrics: Mapping[str, Metric] = metrics()
        self.results: dict[str, Result] = {}

    def result(self, name: str) -> Result:
        if name not in self.results:
            self._compute(self.metrics[name])
        return self.results[name]

    def _compute(self, metric: Metric) -> None:
        arguments = {keyword: self._required(name) for keyword, name in metric.inputs.items()}
        arguments |= {keyword: self._optional(name) for keyword, name in metric.optional.items()}
        function = resolve(metric.function)
        if not metric.joint:
            with self.inputs.timed(metric.name):
                self.results[metric.name] = function(**arguments)
            return
        names = [
            name
            for name in dict.fromkeys((*self.plan.names, metric.name))
            if self.metrics[name].function == metric.function
        ]
        with self.inputs.timed(", ".join(names)):
            self.results |= function(names=names, **arguments)

    def _required(self, name: str) -> Any:
        return self.result(name) if name in self.metrics else getattr(self.inputs, name)

    def _optional(self, name: str) -> Any:
        if name not in self.metrics:
            return getattr(self.inputs, name)
        if name not in self.plan.names:
            return None
        try:
            return self.result(name)
        except InputError:  # reported when it is its own turn
            return None
