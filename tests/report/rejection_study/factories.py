"""Results of rejection studies, built from a few numbers."""

from genmem.study_results.rejection import (
    METRICS,
    Cell,
    CellLog,
    CellMetrics,
    ClassMeans,
    PairedMean,
    PlanInfo,
    ReferenceInfo,
    SeedMean,
    SetInfo,
    SpaceInfo,
    StudyResults,
)

NO_MEAN = SeedMean(mean=None, low=None, high=None, n=0)
IMAGES = SetInfo(name="images", count=10, digest="0")


def seed_mean(mean, low=None, high=None, n=1):
    return SeedMean(mean=mean, low=low, high=high, n=n)


def paired_mean(mean, difference=NO_MEAN):
    return PairedMean(mean=mean, low=None, high=None, n=1, difference=difference)


def build_cell(tau, metrics, references=(), classes=None, seeds=(0,), histogram=(0.5, 0.5)):
    """A cell of the model sagan in the feature space x.

    Args:
        tau: of the cell.
        metrics: `PairedMean` by name; the others are None.
        references: `PairedMean` by name.
        classes: C_T and mean distance by class.
        seeds: that were evaluated.
        histogram: of distances.
    """
    space = CellMetrics(
        metrics={name: paired_mean(None) for name in METRICS} | metrics,
        references=dict(references),
        classes={
            name: ClassMeans(c_t=paired_mean(value), memorization_distance=paired_mean(value))
            for name, value in (classes or {}).items()
        },
        histogram=histogram,
    )
    log = CellLog(
        tau=seed_mean(tau), acceptance=NO_MEAN, seconds_per_step=NO_MEAN, cost_ratio=NO_MEAN
    )
    return Cell(model="sagan", tau=tau, seeds=tuple(seeds), ended={}, log=log, spaces={"x": space})


def build_results(*cells):
    """Results of a study of the model sagan in the feature space x."""
    plan = PlanInfo(
        train=IMAGES,
        test=IMAGES,
        references={},
        classes=(),
        models=("sagan",),
        taus=tuple(cell.tau for cell in cells),
        seeds=(0,),
        backbone="x",
        evaluate_with=("x",),
        samples=10,
        training={"size": 16, "steps": 1},
        widths={},
    )
    reference = ReferenceInfo(count=10, mean_distance=1.0, histogram=(0.5, 0.5))
    space = SpaceInfo(backbone={}, edges=(0, 1, 2), references={"test": reference})
    return StudyResults(plan=plan, spaces={"x": space}, runs=(), cells=cells)
