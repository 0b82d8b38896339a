"""C_T: are generated images closer to the training images than held-out images are?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import (
    as_distances,
    as_feature_sets,
    as_labels,
    check_choice,
    row_counts,
    take_rows,
    to_numpy,
)
from genmem.errors import InputError, UsageError
from genmem.formatting import share
from genmem.metrics import tie_correction
from genmem.metrics.kmeans_cells import fit_cells, project
from genmem.metrics.tie_correction import ZScore
from genmem.neighbors import nearest
from genmem.results import Result

_FEWEST_GENERATED = 20
"""A cell counts when it holds more than 20/m of the m generated rows: more than 20 rows."""

_ROLES = ("generated", "train", "test")


def c_t(
    *,
    generated: Any,
    train: Any,
    test: Any,
    cells: int | None = None,
    categories: Mapping[str, Sequence[Any]] | None = None,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    pca: int | None = None,
    seed: int = 0,
) -> Result:
    """Data-copying test: below 0 copying, above 0 underfitting, about 0 as close as test rows are.

        L(x) = distance from x to the nearest training row of x's cell
        U    = number of pairs with L(generated) > L(test), a tie counting one half
        Z_U  = (U − (nm/2 − 0.5)) / √( nm/12 · (N + 1 − Σ(t³ − t) / (N(N − 1))) ),   N = n + m
        C_T  = Σ P_n Z_U / Σ P_n  over the cells with more than 20/m of the generated rows

    with m generated and n test rows in the cell, t the sizes of groups of equal L, and P_n the
    cell's share of the test rows. Meehan, Chaudhuri and Dasgupta 2020, "A Non-Parametric Test to
    Detect Data-Copying in Generative Models", section 3. Cells are k-means on the training rows.
    Per class, the class mean of C_T, each class against its own training rows, is the score of
    "Reducing Training Sample Memorization in GANs by Training with Memorization Rejection" (2022).

    Departures: ties are counted in U and corrected for in the deviation (without ties both are the
    paper's; exact copies all tie at L = 0); the 0.5 is the released code's continuity correction,
    so two equal sets score a hair above 0; k-means is seeded; a cell without test rows has weight 0
    instead of shifting the others; a cell with all distances equal has Z_U = 0. With `cells=None`
    the one cell always counts.

    The 95 % interval says how C_T varies with the generated and the test rows, with their numbers
    (with which C_T grows), the training rows and the cells held fixed: DeLong, DeLong and
    Clarke-Pearson 1988, "Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves".

    Args:
        generated: features [m, d], NumPy (memory-mapped too) or torch.
        train: features [l, d] of the same kind.
        test: features [n, d] of images like train's that are not in it.
        cells: k of k-means (in each class where `categories` are given); None for one cell.
        categories: labels by role, {"generated": …, "train": …, "test": …}, one for each row.
        metric: of L: "euclidean", or "cosine" (1 − cos).
        pca: fit this many principal components to the training rows (of each class). Cells are made
            in them; Euclidean distances are taken in them too, as Meehan et al. do; cosine
            distances stay in the features as given, as Memorization Rejection does.
        seed: of k-means.

    Returns:
        value (NaN, with a note, where no cell can be scored); parts: `metric`, `pca`, and `cells`,
        a row for each: `category` (per class only), `cell`, `train`, `test`, `generated` (counts),
        `z` with its interval's `low` and `high`, `used`, `median_generated`, `median_test` (of L).
        Per class also `categories`: the C_T of each.

    Raises:
        InputError: not finite floating-point features of one dimension; labels that are missing,
            of the wrong number, or not among train's.
        UsageError: a metric, number of cells or of components that is not possible.

    Example:
        >>> import numpy as np
        >>> from genmem import c_t
        >>> rng = np.random.default_rng(0)
        >>> train, test, honest = rng.normal(size=(3, 200, 8))
        >>> copies = train + 0.01
        >>> float(c_t(generated=copies, train=train, test=test)) < -3
        True
        >>> abs(float(c_t(generated=honest, train=train, test=test))) < 3
        True
    """
    arrays = as_feature_sets(generated=generated, train=train, test=test)
    counts = row_counts(arrays)
    check_choice(metric, ("euclidean", "cosine"), name="metric")
    if pca is not None and metric == "cosine" and cells is None:
        raise UsageError(
            "pca: with metric='cosine' it only affects the cells. Pass cells= as well."
        )
    options = _Options(cells=cells, metric=metric, pca=pca, seed=seed)
    parts: dict[str, Any] = {"metric": metric, "pca": pca}
    if categories is None:
        table = _score_cells(arrays, options)
        score, notes = _weighted_mean(table)
    else:
        table, by_category, notes = _score_categories(arrays, categories, counts, options)
        parts["categories"] = {name: row and row.z for name, row in by_category.items()}
        defined = [row for row in by_category.values() if row is not None]
        score = tie_correction.combine(defined, [1.0] * len(defined))
    parts["cells"] = [row.to_dict() for row in table]
    if score is None:
        notes += ("C_T is not defined here: no cell holds enough generated and test rows.",)
    return Result(
        name="c_t",
        value=float("nan") if score is None else score.z,
        n=counts,
        parts=parts,
        interval=tie_correction.interval(score),
        seed=None if cells is None else seed,
        notes=notes,
    )


def c_t_from_distances(
    *, generated: NDArray[np.float64], test: NDArray[np.float64], train_rows: int | None = None
) -> Result:
    """`c_t` with one cell, from finished searches.

    Args:
        generated: float [m], distance from each generated row to its nearest training row.
        test: float [n], the same from each test row.
        train_rows: size of the training set, for the result; None where it is unknown.

    Raises:
        InputError: not one-dimensional, empty, or not finite.
    """
    distances = {
        role: as_distances(values, role=role)
        for role, values in (("generated", generated), ("test", test))
    }
    row = _score_cell(0, distances, train_rows=train_rows, fewest=0)
    return Result(
        name="c_t",
        value=float("nan") if row.score is None else row.score.z,
        n={role: len(array) for role, array in distances.items()}
        | ({} if train_rows is None else {"train": train_rows}),
        parts={"cells": [row.to_dict()]},
        interval=tie_correction.interval(row.score),
    )


@dataclass(frozen=True)
class _Options:
    cells: int | None
    metric: Literal["euclidean", "cosine"]
    pca: int | None
    seed: int


@dataclass(frozen=True)
class _Cell:
    """One row of the table; None where a value has no rows to be computed from."""

    cell: int
    train: int | None
    test: int
    generated: int
    score: ZScore | None
    used: bool
    median_generated: float | None
    median_test: float | None
    category: str | None = None

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {} if self.category is None else {"category": self.category}
        for name, value in asdict(self).items():
            if name == "score":
                values |= value or {"z": None, "low": None, "high": None}
            elif name != "category":
                values[name] = value
        return values


def _score_categories(
    arrays: Mapping[str, Any],
    categories: Mapping[str, Sequence[Any]],
    counts: Mapping[str, int],
    options: _Options,
) -> tuple[list[_Cell], dict[str, ZScore | None], tuple[str, ...]]:
    labels = _check_categories(categories, counts)
    table: list[_Cell] = []
    by_category: dict[str, ZScore | None] = {}
    notes: list[str] = []
    for category in sorted(set(labels["train"].tolist())):
        chosen = {role: np.flatnonzero(labels[role] == category) for role in _ROLES}
        if not len(chosen["generated"]) or not len(chosen["test"]):
            by_category[category] = None
            missing = "generated" if not len(chosen["generated"]) else "test"
            notes.append(f"category {category!r} was left out: it has no {missing} rows.")
            continue
        rows = {role: take_rows(arrays[role], chosen[role]) for role in _ROLES}
        try:
            cells = _score_cells(rows, options)
        except UsageError as error:
            raise UsageError(f"category {category!r}: {error}") from error
        by_category[category], remarks = _weighted_mean(cells)
        notes += [f"category {category!r}: {remark}" for remark in remarks]
        if by_category[category] is None:
            notes.append(f"category {category!r} was left out: none of its cells can be scored.")
        table += [replace(row, category=category) for row in cells]
    return table, by_category, tuple(notes)


def _check_categories(
    categories: Mapping[str, Sequence[Any]], counts: Mapping[str, int]
) -> dict[str, NDArray[np.str_]]:
    if set(categories) != set(_ROLES):
        raise InputError(
            f"categories: expected labels for generated, train and test, got {sorted(categories)}."
        )
    labels = {
        role: as_labels(categories[role], role=f"categories of {role}", count=counts[role])
        for role in _ROLES
    }
    labels = {role: array.astype(str) for role, array in labels.items()}
    for role in _ROLES:
        unknown = sorted(set(labels[role].tolist()) - set(labels["train"].tolist()))
        if unknown:
            raise InputError(
                f"categories: {role} has rows of {unknown[0]!r}, of which train has none; leave "
                "them out or add training rows."
            )
    return labels


def _score_cells(arrays: Mapping[str, Any], options: _Options) -> list[_Cell]:
    """The table of one comparison, a row for each training cell."""
    reduced = dict(arrays)
    if options.pca is not None:
        train, generated, test = project(
            arrays["train"], arrays["generated"], arrays["test"], components=options.pca
        )
        reduced = {"generated": generated, "train": train, "test": test}
    measured = reduced if options.metric == "euclidean" else arrays
    if options.cells is None:
        distances = _distances(measured, options.metric)
        return [_score_cell(0, distances, train_rows=int(measured["train"].shape[0]), fewest=0)]
    partition = fit_cells(reduced["train"], cells=options.cells, seed=options.seed)
    assigned = {role: partition.assign(reduced[role]) for role in _ROLES}
    table = []
    for cell in range(partition.count):
        chosen = {role: np.flatnonzero(assigned[role] == cell) for role in _ROLES}
        rows = {role: take_rows(measured[role], chosen[role]) for role in _ROLES}
        distances = _distances(rows, options.metric)
        train_rows = len(chosen["train"])
        table.append(_score_cell(cell, distances, train_rows=train_rows, fewest=_FEWEST_GENERATED))
    return table


def _distances(
    arrays: Mapping[str, Any], metric: Literal["euclidean", "cosine"]
) -> dict[str, NDArray[np.float64]]:
    """L of the generated and the test rows; empty without rows or without training rows."""
    out = {}
    for role in ("generated", "test"):
        if 0 in (int(arrays[role].shape[0]), int(arrays["train"].shape[0])):
            out[role] = np.empty(0)
            continue
        search = nearest(arrays[role], arrays["train"], metric=metric)
        out[role] = to_numpy(search.distances)[:, 0]
    return out


def _score_cell(
    cell: int,
    distances: Mapping[str, NDArray[np.float64]],
    *,
    train_rows: int | None,
    fewest: int,
) -> _Cell:
    generated, test = distances["generated"], distances["test"]
    score = tie_correction.z_score(generated, test) if len(generated) and len(test) else None
    return _Cell(
        cell=cell,
        train=train_rows,
        test=len(test),
        generated=len(generated),
        score=score,
        used=score is not None and len(generated) > fewest,
        median_generated=float(np.median(generated)) if len(generated) else None,
        median_test=float(np.median(test)) if len(test) else None,
    )


def _weighted_mean(table: Sequence[_Cell]) -> tuple[ZScore | None, tuple[str, ...]]:
    """C_T of a table, and what a reader must know about the cells left out."""
    used = [row for row in table if row.used]
    weight = sum(row.test for row in used)
    notes: tuple[str, ...] = ()
    if len(used) < len(table):
        left_out = 1 - weight / max(1, sum(row.test for row in table))
        notes = (
            f"{len(table) - len(used)} of {len(table)} cells were left out (20 or fewer generated "
            f"rows, or no test or training rows); they hold {share(left_out)} of the test rows.",
        )
    scores = [row.score for row in used if row.score is not None]
    return tie_correction.combine(scores, [float(row.test) for row in used]), notes
