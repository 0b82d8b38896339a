"""The numbers of an analysis as tables of text, and its main finding as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genmem.formatting import number, printable, share
from genmem.report.common.tables import Table
from genmem.results import Interval

if TYPE_CHECKING:
    from genmem.calibration.results import Analysis, BoardResult, Margins, Review, Threshold

CASE_NAMES = {
    "no penalty": "no penalty",
    "in force": "τ in force",
    "false_penalty": "τ*, no false penalty",
    "error": "τ*, fewest errors",
    "balanced_error": "τ*, least balanced error",
}
"""The names of the thresholds in tables."""


def headline(board: BoardResult) -> str:
    """The leaderboard's main finding in two sentences."""
    best = board.calibration.thresholds["false_penalty"]
    reviews = {case.name: case.blank_is_neither for case in board.reviews}
    without, with_penalty = reviews["no penalty"], reviews["false_penalty"]
    penalized = (
        "no honest entry is penalized"
        if best.penalized == 0
        else f"{best.penalized:,} of {best.honest:,} honest entries are penalized"
    )
    sentence = (
        f"With τ* = {number(best.tau)}, {best.caught:,} of {best.cheating:,} cheats are caught and "
        f"{penalized}."
    )
    if not (without.reached and with_penalty.reached):
        return f"{sentence} The table has fewer than {without.top:,} clean entries."
    return (
        f"{sentence} A reviewer opens {with_penalty.opened:,} entries until the top "
        f"{without.top:,} are clean; {without.opened:,} without a penalty."
    )


def threshold_table(board: BoardResult) -> Table:
    """What each threshold does to the labelled entries."""
    thresholds: dict[str, Threshold] = {**board.calibration.thresholds}
    if board.in_force is not None:
        thresholds = {"in force": board.in_force, **thresholds}
    return Table(
        caption="Thresholds: an entry with a distance below τ is penalized",
        columns=("Threshold", "τ", "Cheats caught", "Honest penalized", "Errors"),
        rows=tuple(
            (
                CASE_NAMES[name],
                number(threshold.tau),
                f"{_of(threshold.caught, threshold.cheating)} "
                f"({_share(threshold.caught / threshold.cheating)})",
                _of(threshold.penalized, threshold.honest),
                f"{threshold.errors:,}",
            )
            for name, threshold in thresholds.items()
        ),
    )


def review_table(board: BoardResult) -> Table:
    """Entries to open until the top is clean, by threshold and meaning of a blank label."""
    top = board.reviews[0].blank_is_neither.top
    return Table(
        caption=f"Entries a reviewer opens until the top {top:,} are clean",
        columns=(
            "Ranked by",
            "Opened",
            "of these cheats",
            "not reviewed",
            "Opened if blank is clean",
        ),
        rows=tuple(
            (
                "FD, no penalty" if case.tau is None else f"MiFID, {CASE_NAMES[case.name]}",
                _opened(case.blank_is_neither),
                f"{case.blank_is_neither.cheats:,}",
                f"{case.blank_is_neither.not_reviewed:,}",
                _opened(case.blank_is_clean),
            )
            for case in board.reviews
        ),
    )


def correlation_table(board: BoardResult) -> Table:
    """Pearson's correlation of FD and distance by group."""
    return Table(
        caption="Correlation of Fréchet distance and memorization distance",
        columns=("Entries", "n", "Pearson r", "95 % interval"),
        rows=tuple(
            (
                printable(correlation.group),
                f"{correlation.n:,}",
                _number(correlation.pearson),
                _interval(correlation.interval),
            )
            for correlation in board.correlations
        ),
    )


def margin_table(margins: Margins) -> Table:
    """The margins, each with its interval."""
    spread = margins.dispersion
    return Table(
        caption="Margins: how far honest and cheating distances stand apart",
        columns=("Margin", "Value", "95 % interval"),
        rows=(
            ("AUC", number(margins.auc), _interval(margins.auc_interval)),
            ("d′", _number(margins.d_prime), _interval(margins.d_prime_interval)),
            ("gap", _number(margins.gap), ""),
            ("gap / standard deviation", _number(margins.normalized_gap), ""),
            (
                "d(M) as the paper prints it",
                _number(spread.total_squared_deviation),
                "",
            ),
            ("d(M) per entry and mean²", _number(spread.relative_variance), ""),
        ),
    )


def agreement_table(analysis: Analysis) -> Table | None:
    """How similarly the leaderboards rank; None for a single leaderboard."""
    if not analysis.agreements:
        return None
    tops = sorted({k for agreement in analysis.agreements for k in agreement.overlap})
    several = len(analysis.boards) > 2
    return Table(
        caption="Agreement of the leaderboards: rank correlation, rank differences, common entries",
        columns=(
            "Entries, ranked by",
            "n",
            "Spearman",
            "Mean |Δ rank|",
            *(f"top {k}" for k in tops),
        ),
        rows=tuple(
            (
                f"{pair.group}, {'FD' if pair.by == 'fd' else 'MiFID at τ*'}"
                + (f" ({' / '.join(map(printable, pair.boards))})" if several else ""),
                f"{pair.n:,}",
                _number(pair.spearman),
                f"{number(pair.mean_rank_difference)} "
                f"({_share(pair.mean_rank_difference / pair.n)})",
                *(str(pair.overlap.get(k, "–")) for k in tops),
            )
            for pair in analysis.agreements
        ),
    )


def _opened(review: Review) -> str:
    return f"{review.opened:,}" if review.reached else "not reached"


def _of(part: int, total: int) -> str:
    """`3 of 498`, with no-break spaces."""
    return f"{part:,}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{total:,}"


def _share(value: float) -> str:
    """`89.8 %`, with a no-break space."""
    return share(value).replace(" ", "\N{NO-BREAK SPACE}")


def _number(value: float) -> str:
    return "–" if value != value else number(value)


def _interval(interval: Interval | None) -> str:
    return f"{number(interval.low)} to {number(interval.high)}" if interval else ""
