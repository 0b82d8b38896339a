"""Protocols: what a published number was computed with, by the name of the tool that did.

A protocol fixes backbones (network, weights, preprocessing), metrics, and what these leave open:
neighbors, subsets, splits, seeds. `docs/protocols.md` says how each was compared with its tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genmem.errors import UsageError
from genmem.metrics.prdc import DENSITY_NEIGHBORHOOD, PRECISION_NEIGHBORHOOD, SUBSET_ROWS
from genmem.metrics.registry import metric_names
from genmem.results import InputSummary, Score


@dataclass(frozen=True, kw_only=True)
class MetricSettings:
    """What metrics leave open, as inputs of the registry take it.

    Attributes:
        subset_rows: rows a set for precision, recall, density and coverage; None for all, in sets
            of unequal size too.
        precision_neighborhood: k of precision and recall.
        density_neighborhood: k of density and coverage.
        inception_split_rows: images of one split of the Inception score, in their order; None for
            ten shuffled splits.
    """

    subset_rows: int | None = SUBSET_ROWS
    precision_neighborhood: int = PRECISION_NEIGHBORHOOD
    density_neighborhood: int = DENSITY_NEIGHBORHOOD
    inception_split_rows: int | None = None


DEFAULT_SETTINGS = MetricSettings()
"""Of scores without a protocol."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one tool or line of papers computes its numbers.

    Attributes:
        name: of `--protocol`.
        metrics: names of metrics by backbone.
        settings: what the metrics leave open.
        seed: of subsets and splits, where the tool has one.
        images: generated images that published numbers are of; None where the tool asks for none.
        source: the tool.
    """

    name: str
    metrics: Mapping[str, tuple[str, ...]]
    settings: MetricSettings = DEFAULT_SETTINGS
    seed: int | None = None
    images: int | None = None
    source: str

    def chosen(self, metrics: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
        """The metrics to compute, by feature space.

        Args:
            metrics: names that were chosen; None for all of the protocol.

        Raises:
            UsageError: one of them is not in the protocol.
        """
        if metrics is None:
            return dict(self.metrics)
        wanted = metric_names(metrics)
        of_protocol = dict.fromkeys(name for names in self.metrics.values() for name in names)
        if other := [name for name in wanted if name not in of_protocol]:
            raise UsageError(
                f"metrics: {other[0]} is not in the protocol {self.name}, which has "
                f"{', '.join(of_protocol)}. Leave the protocol out, or this metric."
            )
        chosen = {
            backbone: tuple(name for name in names if name in wanted)
            for backbone, names in self.metrics.items()
        }
        return {backbone: names for backbone, names in chosen.items() if names}

    def notes(self, inputs: Mapping[str, InputSummary]) -> Iterator[str]:
        """Sentences on where these sets are not what published numbers are of."""
        count = inputs["generated"].count
        if self.images is not None and count != self.images:
            yield (
                f"published numbers of the protocol {self.name} are of {self.images:,} generated "
                f"images, these of {count or 0:,}: compare them only with numbers of as many."
            )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="adm",
            metrics={
                "inception": ("fd", "inception_score", "precision", "recall"),
                "inception-spatial": ("fd",),
            },
            settings=MetricSettings(subset_rows=None, inception_split_rows=5_000),
            images=50_000,
            source="Dhariwal and Nichol 2021 (arXiv 2105.05233): the evaluator of ADM",
        ),
        Protocol(
            name="edm",
            metrics={"inception": ("fd",)},
            images=50_000,
            source="Karras et al. 2022 (arXiv 2206.00364): fid.py",
        ),
        Protocol(
            name="cleanfid",
            metrics={"inception-clean": ("fd", "kd")},
            source="Parmar, Zhang and Zhu 2022 (arXiv 2104.11222): clean-fid, mode clean",
        ),
        Protocol(
            name="pytorch-fid",
            metrics={"inception-pytorch-fid": ("fd",)},
            source="pytorch-fid 0.3",
        ),
        Protocol(
            name="dgm-eval",
            metrics={
                "dinov2-l": (
                    "fd",
                    "fd_infinity",
                    "kd",
                    "precision",
                    "recall",
                    "density",
                    "coverage",
                    "authpct",
                )
            },
            settings=MetricSettings(subset_rows=10_000, precision_neighborhood=5),
            images=50_000,
            source="Stein et al. 2023 (arXiv 2306.04675): dgm-eval with DINOv2 ViT-L/14",
        ),
        Protocol(
            name="torch-fidelity",
            metrics={
                "inception": ("fd", "inception_score", "kd"),
                "vgg16-stretched": ("precision", "recall"),
            },
            settings=MetricSettings(subset_rows=None),
            seed=2020,
            source="torch-fidelity 0.4",
        ),
    )
}
"""The protocols by name."""


def find_protocol(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {name!r}.")
    return PROTOCOLS[name]


def check_protocol(protocol: Protocol, *, backbone: object, seed: int) -> int:
    """The seed of a score by a protocol.

    Args:
        protocol: it fixes the backbones.
        backbone: what the caller chose; None for nothing.
        seed: what the caller chose; 0 stands for the protocol's own.

    Raises:
        UsageError: a backbone was chosen.
    """
    if backbone is not None:
        raise UsageError(
            f"backbone: the protocol {protocol.name} fixes it ({', '.join(protocol.metrics)}); "
            "leave one of the two out."
        )
    return seed or protocol.seed or 0


def follow_protocol(score: Score, protocol: Protocol) -> Score:
    """The score with the protocol's name, and notes on where the sets are others."""
    return replace(
        score,
        provenance={**score.provenance, "protocol": protocol.name},
        notes=(*score.notes, *protocol.notes(score.inputs)),
    )
