"""Local evidence in an audit: whether it is looked for, its candidates, and its test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import PLANTED, SpaceSearch
from genmem.auditing.groups import Groups, HonestUnits, train_groups
from genmem.auditing.local import (
    LOCAL,
    HonestImages,
    LocalEvidence,
    local_evidence,
    reason_without_local,
)
from genmem.auditing.local.results import STATISTIC
from genmem.auditing.search import Matches
from genmem.auditing.significance import compute_evidence
from genmem.auditing.space_results import Duplicates, Ints, SpaceResult
from genmem.auditing.space_tests import Statistic, TestResult
from genmem.errors import UsageError
from genmem.images import ImageSource
from genmem.scoring.feature_sets import ExtractOptions, FeatureSet

NEAREST = 3
"""Training images that each feature space proposes for each image."""


@dataclass(frozen=True, kw_only=True)
class LocalSearch:
    """Local evidence, or why there is none.

    Attributes:
        evidence: None where it was not looked for.
        notes: why not, in sentences.
    """

    evidence: LocalEvidence | None = None
    notes: tuple[str, ...] = ()


def why_not_local(option: bool | None, sources: Mapping[str, Any]) -> str | None:
    """Why local evidence is not looked for, as a sentence; None where it is.

    Args:
        option: the argument `local` of the audit.
        sources: the sets by role, opened.

    Raises:
        UsageError: it is asked for and cannot be had.
    """
    missed = "Copies of a part of an image (crops, collages, cut-outs) can be missed."
    if option is False:
        return f"local evidence was not looked for (--no-local). {missed}"
    reason = reason_without_local(sources)
    if reason is None:
        return None
    if option:
        raise UsageError(f"local: local evidence cannot be looked for: {reason}.")
    return f"local evidence was not looked for: {reason}. {missed}"


def search_local(
    option: bool | None,
    by_role: Mapping[str, FeatureSet],
    searches: Sequence[SpaceSearch],
    *,
    train_rows: Ints,
    duplicates: Duplicates,
    groups: Groups | None,
    seed: int,
    options: ExtractOptions,
) -> LocalSearch:
    """Local evidence of the generated and the honest images of an audit.

    Args:
        option: the argument `local` of the audit.
        by_role: the sets.
        searches: in every feature space, for candidates.
        train_rows: int64, ascending, the training rows that are compared with.
        duplicates: near-duplicates inside train. Pictures that repeat an earlier one are not
            indexed: one that is there ten times would be its own background. Feature spaces still
            propose them.
        groups: the images' groups.
        seed: of the index.
        options: broken images and progress.

    Raises:
        UsageError: it is asked for and cannot be had.
    """
    sources = {
        role: rows.stored or rows.source for role, rows in by_role.items() if role != PLANTED
    }
    note = why_not_local(option, sources)
    if note is not None:
        return LocalSearch(notes=(note,))
    images = {role: one for role, one in sources.items() if isinstance(one, ImageSource)}
    rows = searches[0].honest_rows
    honest = [search.honest[UNCHANGED] for search in searches]
    groups_of_train = None
    if groups is not None and rows is not None:
        groups_of_train = train_groups(groups, train_rows)
    evidence = local_evidence(
        generated=images["generated"],
        train=images["train"],
        honest=HonestImages(
            source=None if rows is not None else images["test"],
            candidates=_candidates(honest),
            train_rows=rows,
            train_groups=groups_of_train,
        ),
        candidates=_candidates([search.generated[UNCHANGED] for search in searches]),
        train_rows=np.setdiff1d(train_rows, duplicates.first[duplicates.same]),
        planted=_planted(by_role, searches),
        skip_broken=options.skip_broken,
        seed=seed,
        progress=options.progress,
    )
    return LocalSearch(evidence=evidence)


def _planted(
    by_role: Mapping[str, FeatureSet], searches: Sequence[SpaceSearch]
) -> tuple[ImageSource, Ints] | None:
    """Planted copies and their candidates; None where there are none."""
    copies = by_role[PLANTED].source if PLANTED in by_role else None
    if copies is None:
        return None
    return copies, _candidates([search.of_planted().generated[UNCHANGED] for search in searches])


def _candidates(matches: Sequence[Matches]) -> Ints:
    """The nearest training rows in every feature space, int64 [n, k]; some may repeat."""
    return np.concatenate([match.train[:, :NEAREST] for match in matches], axis=1)


def planted_test(evidence: LocalEvidence, *, train_rows: int, honest: HonestUnits) -> TestResult:
    """The test of local evidence of the planted copies; arguments as of `local_test`."""
    if evidence.planted is None:
        raise AssertionError("no copies were planted")
    rows = np.zeros(len(evidence.planted), np.int64)
    copies = replace(evidence, statistic=evidence.planted, train=rows)
    return local_test(copies, train_rows=train_rows, honest=honest)[1]


def local_test(
    evidence: LocalEvidence, *, train_rows: int, honest: HonestUnits
) -> tuple[SpaceResult, TestResult]:
    """Local evidence as a space of its own, and its test.

    Args:
        evidence: of all images.
        train_rows: size of the training set.
        honest: what counts once in the null.
    """
    return compute_evidence(
        Statistic(name=STATISTIC, generated=evidence.statistic, honest=evidence.honest),
        space=LOCAL,
        metric=STATISTIC,
        train=evidence.train,
        train_rows=train_rows,
        honest=honest,
    )
