"""From an audit's searches to its result: tests, flags, copied fraction, power and notes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from genmem.auditing.arguments import Arguments
from genmem.auditing.caveats import caveats
from genmem.auditing.duplicates import exclude_duplicates
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import Groups, HonestUnits, honest_units
from genmem.auditing.local_search import local_test, planted_test
from genmem.auditing.power import compute_power
from genmem.auditing.power_results import Power
from genmem.auditing.results import Audit
from genmem.auditing.searches import Searches
from genmem.auditing.significance import combined_copied_fraction, compute_significance
from genmem.auditing.space_results import Bools, Floats, SpaceResult
from genmem.auditing.space_tests import TestResult, combine_tests, most_significant
from genmem.auditing.thumbnails import SourceThumbnails
from genmem.calibration.q_values import counted_q_values, min_copies_flagged, q_values
from genmem.provenance import provenance
from genmem.scoring.feature_sets import FeatureSet
from genmem.scoring.one_space import set_notes
from genmem.scoring.stored_sets import reference_notes, reference_provenance


@dataclass(frozen=True, kw_only=True)
class _Flags:
    """Which images are flagged; attributes as of `Audit`."""

    q_values: Floats
    flagged: Bools
    by_power_law: Bools
    min_copies: int | None


def assemble_audit(
    arguments: Arguments, searches: Searches, stack: ExitStack
) -> tuple[Audit, HonestUnits]:
    """P-values, flags and everything else that follows from the searches.

    Args:
        arguments: checked.
        searches: in every space.
        stack: holds the image sources open; the result's thumbnails take it over.

    Returns:
        The audit without its verdict, and what counts once in its null.
    """
    by_role = searches.spaces[0].by_role
    excluded = exclude_duplicates(
        searches.spaces[0], searches.by_space[0], drop=arguments.drop_duplicates
    )
    honest = honest_units(
        duplicates=excluded.rows,
        biased=excluded.biased,
        groups=searches.groups,
        train_rows=searches.by_space[0].honest_rows,
    )
    results, tests = _compute_tests(arguments, searches, honest)
    test = combine_tests(tests)
    flags = _flag(test, honest, searches.groups, arguments.level)
    power = _compute_power(arguments, searches, honest, test, flags.min_copies)
    audit = Audit(
        generated_ids=by_role["generated"].ids,
        train_ids=by_role["train"].ids,
        classes=by_role["train"].classes if arguments.classes else None,
        augmentations=arguments.augmentations,
        spaces=results,
        p_values=test.p_values,
        q_values=flags.q_values,
        flagged=flags.flagged,
        level=arguments.level,
        by_power_law=flags.by_power_law,
        min_p_value=test.min_p_value,
        min_copies_flagged=flags.min_copies,
        space=most_significant(tests),
        copied_fraction=combined_copied_fraction(
            results, searches.by_space, tests[len(searches.by_space) :], honest
        ),
        duplicates=(searches.duplicates.pairs, *excluded.duplicates),
        groups=searches.groups,
        power=power,
        inputs={role: by_role[role].summary for role in arguments.sources},
        provenance={
            **provenance(seed=arguments.seed),
            **reference_provenance(by_role["train"].stored),
        },
        seconds=arguments.seconds,
        local=searches.local.evidence,
        notes=_notes(searches, results, test, flags, power, biased=excluded.biased),
        thumbnails=_thumbnails(by_role, stack),
    )
    return audit, honest


def _compute_tests(
    arguments: Arguments, searches: Searches, honest: HonestUnits
) -> tuple[tuple[SpaceResult, ...], list[TestResult]]:
    """Results and tests of every feature space, and of local evidence behind them."""
    pairs = _space_tests(arguments, searches, searches.by_space, honest)
    if searches.local.evidence is not None:
        train_rows = _train_rows(searches)
        pairs.append(local_test(searches.local.evidence, train_rows=train_rows, honest=honest))
    return tuple(result for result, _ in pairs), [test for _, test in pairs]


def _space_tests(
    arguments: Arguments,
    searches: Searches,
    by_space: Sequence[SpaceSearch],
    honest: HonestUnits,
) -> list[tuple[SpaceResult, TestResult]]:
    """Results and tests of searches, one in each feature space."""
    return [
        compute_significance(
            search,
            sets,
            k=arguments.neighbors,
            augmentations=arguments.augmentations,
            honest=honest,
        )
        for sets, search in zip(searches.spaces, by_space, strict=True)
    ]


def _train_rows(searches: Searches) -> int:
    return int(searches.spaces[0].by_role["train"].array.shape[0])


def _flag(test: TestResult, honest: HonestUnits, groups: Groups | None, level: float) -> _Flags:
    """Flags at a false-discovery rate, and how few copies could have been flagged."""
    own = test.honest_p_values
    values = q_values(test.p_values, own, groups=honest.generated_groups)
    flagged = values <= level
    return _Flags(
        q_values=values,
        flagged=flagged,
        by_power_law=flagged & (counted_q_values(test.p_values, own) > level),
        min_copies=min_copies_flagged(
            test.min_p_value,
            own,
            images=len(test.p_values),
            level=level,
            groups=groups and groups.count("generated"),
        ),
    )


def _compute_power(
    arguments: Arguments,
    searches: Searches,
    honest: HonestUnits,
    test: TestResult,
    min_copies: int | None,
) -> Power | None:
    """What would have been flagged of planted copies, by the tests of the generated images."""
    if not arguments.power:
        return None
    with arguments.timed("power"):
        planted = [search.of_planted() for search in searches.by_space]
        alone = replace(honest, generated_groups=None)  # the groups are those of other images
        tests = [each for _, each in _space_tests(arguments, searches, planted, alone)]
        if searches.local.evidence is not None:
            train_rows = _train_rows(searches)
            tests.append(planted_test(searches.local.evidence, train_rows=train_rows, honest=alone))
        return compute_power(
            combine_tests(tests).p_values,
            p_values=test.p_values,
            honest=test.honest_p_values,
            groups=honest.generated_groups,
            min_copies=min_copies,
            level=arguments.level,
            seed=arguments.seed,
        )


def _notes(
    searches: Searches,
    results: Sequence[SpaceResult],
    test: TestResult,
    flags: _Flags,
    power: Power | None,
    *,
    biased: bool,
) -> tuple[str, ...]:
    """What a reader must know: of the sets, the backbones, local evidence, flags and power."""
    by_role = searches.spaces[0].by_role
    return (
        *set_notes(by_role),
        *reference_notes(
            by_role["train"].stored,
            by_role["test"].stored if "test" in by_role else None,
            pictures=by_role["generated"].has_pictures,
        ),
        *(note for sets in searches.spaces for note in sets.notes()),
        *searches.local.notes,
        *caveats(
            results,
            images=len(test.p_values),
            min_p_value=test.min_p_value,
            min_copies=flags.min_copies,
            by_power_law=int(flags.by_power_law.sum()),
            biased=biased,
            groups=searches.groups,
        ),
        *(power.caveats() if power else ()),
    )


def _thumbnails(by_role: dict[str, FeatureSet], stack: ExitStack) -> SourceThumbnails | None:
    """Thumbnails, which keep the sources open; None where one of the two sets has no pictures."""
    if not by_role["generated"].has_pictures or not by_role["train"].has_pictures:
        return None
    return SourceThumbnails(by_role=by_role, open_files=stack.pop_all())
