"""`genmem score`: the quality of generated images and how much they copy the training set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genmem.cli.options import (
    Device,
    DryRun,
    Generated,
    Json,
    MetricNames,
    Preprocess,
    ProtocolName,
    Ray,
    Report,
    ScoreBackbones,
    Seed,
    SkipBroken,
    Tau,
    Test,
    Train,
    Weights,
    Workers,
)

if TYPE_CHECKING:
    from genmem.results import Score


def score(
    generated: Generated,
    train: Train,
    test: Test = None,
    backbone: ScoreBackbones = None,
    metrics: MetricNames = None,
    protocol: ProtocolName = None,
    tau: Tau = None,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    weights: Weights = None,
    preprocess: Preprocess = None,
    device: Device = "auto",
    skip_broken: SkipBroken = False,
    ray: Ray = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
) -> None:
    """Score the quality and the memorization of generated images, with one backbone or several."""
    from genmem.cli.outputs import check_outputs
    from genmem.cli.parsing import parse_backbones, split_names
    from genmem.cli.tau import read_tau, taus_for
    from genmem.io.atomic import check_writable
    from genmem.progress import progress_on_stderr

    threshold = read_tau(tau)
    if report is not None:
        check_writable(report, suffixes=(".html", ".htm"))
    check_outputs(
        {"--json": json, "--report": report},
        inputs={
            "GENERATED": generated,
            "--train": train,
            "--test": test,
            "--weights": weights,
            "--tau": None if isinstance(threshold, float) else tau,
        },
    )
    from genmem.cli.workers import on_workers
    from genmem.scoring import score as compute_score
    from genmem.scoring.cost import score_pairs
    from genmem.scoring.feature_sets import ExtractOptions

    spaces = _spaces(backbone, protocol, train)
    networks = parse_backbones(spaces, preprocess)
    names = None if metrics is None else split_names(metrics)
    by_role = {"generated": generated, "train": train, "test": test}
    by_role = {role: source for role, source in by_role.items() if source is not None}
    with (
        progress_on_stderr() as progress,
        on_workers(
            ray,
            workers,
            dry_run,
            sources=by_role,
            backbones=networks,
            options=ExtractOptions(weights=weights, device=device, progress=progress),
            pairs=score_pairs(names),
            progress=progress,
        ),
    ):
        result = compute_score(
            generated=generated,
            train=train,
            test=test,
            backbone=None if backbone is None else networks,
            metrics=names,
            protocol=protocol,
            tau=taus_for(threshold, backbones=spaces, sources=[*by_role.values()]),
            seed=seed,
            weights=weights,
            skip_broken=skip_broken,
            device=device,
            progress=progress,
        )
    _write(result, json, report)


def _spaces(backbone: str | None, protocol: str | None, train: str) -> Sequence[str]:
    """The backbones that were named, or those of the protocol, or the default."""
    from genmem.cli.parsing import parse_names
    from genmem.scoring.protocols import find_protocol
    from genmem.scoring.stored_sets import default_backbone

    if backbone is not None:
        return parse_names(backbone, option="--backbone")
    return list(find_protocol(protocol).metrics) if protocol else [default_backbone(train)]


def _write(result: Score, json: str | None, report: str | None) -> None:
    """Write report and JSON file, and print table and notes."""
    from genmem.cli.console import print_score, print_score_notes
    from genmem.cli.outputs import STDOUT, write_json
    from genmem.report import write_report

    if report is not None:
        write_report(result, report)
    if json is not None:
        write_json(result.to_dict(), json)
    if json != STDOUT:
        print_score(result)
    print_score_notes(result)
    if report is not None:
        print(f"report: {report}", file=sys.stderr)
