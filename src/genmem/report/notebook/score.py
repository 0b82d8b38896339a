"""What a `Score` shows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.formatting import number, printable
from genmem.report.common.images import PictureGroup, pictures
from genmem.report.common.provenance import ROLE_NAMES, compared
from genmem.report.common.tables import Table
from genmem.report.notebook.fragment import PAIRS, fragment, small_picture
from genmem.report.notebook.frames import check_pandas, data_frame
from genmem.report.notebook.plots import (
    PicturePair,
    draw_histogram,
    draw_pairs,
    inline_histogram,
    own_axes,
    stacked_axes,
)
from genmem.report.score.interpretation import metric_of, part
from genmem.report.score.tables import metric_tables, spaces_table
from genmem.report.score.verdict import verdict
from genmem.results import Pair, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def html(score: Score) -> str:
    """The score as HTML for a notebook."""
    shown = _first_space(score)
    sets = _distances(shown)
    return fragment(
        kind="score",
        title=compared(score.inputs),
        finding=verdict(score) if score.verdict else None,
        table=spaces_table(score) if score.spaces else _metrics(score),
        histogram=inline_histogram(sets, quantity=_quantity(shown), marks=_marks(shown))
        if sets
        else "",
        groups=[_group(pair) for pair in shown.closest[:PAIRS] if pair.generated_png],
    )


def _metrics(score: Score) -> Table:
    return Table(
        caption="Metrics",
        columns=("metric", "value", "interval", "better", "what it says"),
        rows=tuple(
            (row.name, row.value, row.interval, row.better, row.interpretation.finding)
            for table in metric_tables(score)
            for row in table.rows
        ),
    )


def frame(score: Score) -> Any:
    """`Score.to_pandas`."""
    check_pandas()
    import pyarrow as pa

    spaces = {**score.spaces, **({"": score} if score.metrics else {})}
    rows = [(space, *item) for space, one in spaces.items() for item in one.items()]
    results = [result for *_, result in rows]
    entries = [metric_of(name) for _, name, _ in rows]
    columns = {
        **({"space": [space for space, *_ in rows]} if score.spaces else {}),
        "metric": [name for _, name, _ in rows],
        "value": [float(result) for result in results],
        "low": [float("nan") if one.interval is None else one.interval.low for one in results],
        "high": [float("nan") if one.interval is None else one.interval.high for one in results],
        "better": ["" if one is None else one.better for one in entries],
        "unit": ["number" if one is None else one.unit for one in entries],
        **{
            f"n_{role}": pa.array([one.n.get(role) for one in results], pa.int64())
            for role in sorted({role for one in results for role in one.n})
        },
    }
    return data_frame(pa.table(columns), index="metric")


def plot(score: Score) -> Figure:
    """`Score.plot`."""
    pairs = _pairs(_first_space(score), PAIRS)
    figure, axes = stacked_axes(2 if pairs else 1)
    plot_distances(score, axes[0])
    if pairs:
        draw_pairs(axes[1], pairs)
    return figure


def plot_distances(score: Score, axes: Axes | None) -> Axes:
    """`Score.plot_distances`."""
    score = _first_space(score)
    sets = _distances(score)
    if not sets:
        raise UsageError(
            "this score has no distances to draw: it was made of statistics, or loaded from a JSON "
            "file. Give the training images, or load the folder that score.save wrote."
        )
    axes = own_axes(axes, (6.4, 3.2))
    return draw_histogram(axes, sets, quantity=_quantity(score), marks=_marks(score))


def plot_pairs(score: Score, axes: Axes | None, count: int) -> Axes:
    """`Score.plot_pairs`."""
    if pairs := _pairs(_first_space(score), count):
        return draw_pairs(own_axes(axes, (1.1 * len(pairs) + 1.0, 2.8)), pairs)
    raise UsageError(
        "this score has no pictures: features were given, or images in batches, or it was loaded "
        "from a JSON file. Give the images, or load the folder that score.save wrote."
    )


def _first_space(score: Score) -> Score:
    """The score in the first feature space, where there are several."""
    return next(iter(score.spaces.values()), score)


def _quantity(score: Score) -> str:
    name = printable(str(score.backbone.get("name", "features")))
    return f"cosine distance to the nearest training image, {name}"


def _distances(score: Score) -> dict[str, NDArray[np.float64]]:
    return {
        ROLE_NAMES[role]: score.nearest[role]
        for role in ("generated", "test")
        if len(score.nearest.get(role, ()))
    }


def _marks(score: Score) -> dict[str, float]:
    mifid = score.metrics.get("mifid")
    tau = None if mifid is None else part(mifid, "tau")
    return {} if tau is None else {f"τ {number(tau)} (of the mean)": tau}


def _pairs(score: Score, count: int) -> list[PicturePair]:
    return [
        PicturePair(
            generated=pair.generated_png, train=pair.train_png, label=f"{pair.distance:.3g}"
        )
        for pair in score.closest[: max(count, 0)]
        if pair.generated_png is not None and pair.train_png is not None
    ]


def _group(pair: Pair) -> PictureGroup:
    generated, train = printable(pair.generated_id), printable(pair.train_id)
    return PictureGroup(
        heading=f"distance {pair.distance:.3g}",
        aside="",
        pictures=pictures(
            small_picture(pair.generated_png, f"Generated image {generated}"),
            small_picture(pair.train_png, f"Its nearest training image {train}"),
        ),
        names=(generated, train),
        connector="nearest to",
    )
