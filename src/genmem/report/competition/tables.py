"""The analysis' numbers as rows of text for the page and the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genmem.formatting import number, printable, share
from genmem.results import Interval

if TYPE_CHECKING:
    from genmem.calibration.results import Analysis, BoardFinding, Margins, Review, Threshold

CASES = {
    "no penalty": "no penalty",
    "in force": "τ in force",
    "false_penalty": "τ*, no false penalty",
    "error": "τ*, fewest errors",
    "balanced_error": "τ*, least balanced error",
}
"""The thresholds' names in tables."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table: its caption, the columns' names, and rows whose first cell is their header."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(board: BoardFinding) -> str:
    """The board's main finding in two sentences."""
    best = board.calibration.thresholds["false_penalty"]
    cases = {case.name: case.blank_is_neither for case in board.reviews}
    without, with_penalty = cases["no penalty"], cases["false_penalty"]
    spared = (
        "no honest entry is penalised"
        if best.penalised == 0
        else f"{best.penalised:,} of {best.honest:,} honest entries are penalised"
    )
    caught = (
        f"With τ* = {number(best.tau)}, {best.caught:,} of {best.cheating:,} cheats are caught and "
        f"{spared}."
    )
    if not (without.reached and with_penalty.reached):
        return f"{caught} The table has fewer than {without.top:,} clean entries."
    return (
        f"{caught} A reviewer opens {with_penalty.opened:,} entries until the top "
        f"{without.top:,} are clean; {without.opened:,} without a penalty."
    )


def threshold_table(board: BoardFinding) -> Grid:
    """What each threshold does to the labelled entries."""
    named: dict[str, Threshold] = {**board.calibration.thresholds}
    if board.in_force is not None:
        named = {"in force": board.in_force, **named}
    return Grid(
        caption="Thresholds: an entry with a distance below τ is penalised",
        columns=("Threshold", "τ", "Cheats caught", "Honest penalised", "Errors"),
        rows=tuple(
            (
                CASES[name],
                number(one.tau),
                f"{_of(one.caught, one.cheating)} ({_share(one.caught / one.cheating)})",
                _of(one.penalised, one.honest),
                f"{one.errors:,}",
            )
            for name, one in named.items()
        ),
    )


def review_table(board: BoardFinding) -> Grid:
    """Entries to open until the top is clean, by threshold and reading of a blank label."""
    top = board.reviews[0].blank_is_neither.top
    return Grid(
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
                "FD, no penalty" if case.tau is None else f"MiFID, {CASES[case.name]}",
                _opened(case.blank_is_neither),
                f"{case.blank_is_neither.cheats:,}",
                f"{case.blank_is_neither.not_reviewed:,}",
                _opened(case.blank_is_clean),
            )
            for case in board.reviews
        ),
    )


def correlation_table(board: BoardFinding) -> Grid:
    """Pearson's correlation of FD and distance by group."""
    return Grid(
        caption="Correlation of Fréchet distance and memorization distance",
        columns=("Entries", "n", "Pearson r", "95 % interval"),
        rows=tuple(
            (
                printable(one.group),
                f"{one.n:,}",
                _number(one.pearson),
                _interval(one.interval),
            )
            for one in board.correlations
        ),
    )


def margin_list(board: BoardFinding) -> Grid:
    """The margins, each with its interval."""
    return margin_grid(board.calibration.margins)


def margin_grid(margins: Margins) -> Grid:
    """Margins as a table."""
    spread = margins.dispersion
    return Grid(
        caption="Margins: how far honest and cheating distances stand apart",
        columns=("Margin", "Value", "95 % interval"),
        rows=(
            ("AUC", number(margins.auc), _interval(margins.auc_interval)),
            ("d′", _number(margins.d_prime), _interval(margins.d_prime_interval)),
            ("gap", _number(margins.gap), ""),
            ("gap / standard deviation", _number(margins.normalised_gap), ""),
            (
                "d(M) as the paper prints it",
                _number(spread.total_squared_deviation),
                "",
            ),
            ("d(M) per entry and mean²", _number(spread.relative_variance), ""),
        ),
    )


def agreement_table(analysis: Analysis) -> Grid | None:
    """How alike the boards rank; None for a single board."""
    if not analysis.agreements:
        return None
    tops = sorted({k for one in analysis.agreements for k in one.overlap})
    several = len(analysis.boards) > 2
    return Grid(
        caption="Agreement of the boards: rank correlation, rank differences, common members",
        columns=(
            "Entries, ranked by",
            "n",
            "Spearman",
            "Mean |Δ rank|",
            *(f"top {k}" for k in tops),
        ),
        rows=tuple(
            (
                f"{one.group}, {'FD' if one.by == 'fd' else 'MiFID at τ*'}"
                + (f" ({' / '.join(map(printable, one.boards))})" if several else ""),
                f"{one.n:,}",
                _number(one.spearman),
                f"{number(one.mean_rank_difference)} ({_share(one.mean_rank_difference / one.n)})",
                *(str(one.overlap.get(k, "–")) for k in tops),
            )
            for one in analysis.agreements
        ),
    )


def _opened(review: Review) -> str:
    return f"{review.opened:,}" if review.reached else "not reached"


def _of(some: int, all_of_them: int) -> str:
    """`3 of 498`, with spaces at which no line breaks."""
    return f"{some:,}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{all_of_them:,}"


def _share(value: float) -> str:
    """`89.8 %`, which no line break parts."""
    return share(value).replace(" ", "\N{NO-BREAK SPACE}")


def _number(value: float) -> str:
    return "–" if value != value else number(value)


def _interval(interval: Interval | None) -> str:
    return f"{number(interval.low)} to {number(interval.high)}" if interval else ""
