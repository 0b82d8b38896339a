"""One feature space: the sets' features, the forms of the training set, statistics and p-values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genmem.arrays import take_rows
from genmem.auditing.augmentations import AS_THEY_ARE, Families
from genmem.auditing.results import Bools, Floats, Ints, Null, Space
from genmem.auditing.search import Matches, Queries, nearest_over_forms, telling_first
from genmem.calibration.null_distribution import combined_p_values, null_distribution
from genmem.features import FeatureExtractor, extract, image_transform
from genmem.images import IDENTITY, Augmentation, ImageSource, Progress, read_batches
from genmem.metrics.copied_fraction import NO_DISTANCE, copied_fraction_from
from genmem.neighbors import Metric
from genmem.results import Result
from genmem.scoring.feature_sets import FeatureSets

REFERENCE = 10
"""The neighbour whose distance a pixel distance is measured by."""

_BLOCK_ROWS = 16_384
_STREAM_ROWS = 2_048


def metric_of(space: str) -> Metric:
    """How distances are measured: Euclidean between pixels, 1 − |cos| between features."""
    return "euclidean" if space == "pixels" else "absolute_cosine"


def statistic_of(matches: Matches, metric: Metric) -> tuple[Floats, str]:
    """What is compared with honest images, float64 [n], smaller meaning closer; and its name.

    Features: the distance to the nearest training image. Pixels: that distance divided by the one
    to the tenth nearest, since plain images (sky, studio backgrounds) are near to everything. The
    second nearest, as in the 1/3 rule, would hide copies of an image that the training set holds
    twice. What rounding leaves of a distance of 0 counts as 0.
    """
    nearest = _snapped(matches.distances[:, 0])
    if metric != "euclidean":
        return nearest, "distance"
    rank = min(REFERENCE, matches.distances.shape[1])
    reference = matches.distances[:, rank - 1]
    relative = np.divide(nearest, reference, out=np.zeros_like(nearest), where=reference > 0)
    return relative, f"distance relative to neighbour {rank}"


def _snapped(distances: Floats) -> Floats:
    return np.where(np.abs(distances) <= NO_DISTANCE, 0.0, distances)


@dataclass(frozen=True, kw_only=True)
class SpaceSearch:
    """What was found in one space before p-values, by family of forms.

    Attributes:
        name: the backbone's name.
        metric: how distances were measured.
        families: the forms by family.
        generated: the generated images' matches, by family.
        honest: those of the images that stand for an honest generator.
    """

    name: str
    metric: Metric
    families: Families
    generated: Mapping[str, Matches]
    honest: Mapping[str, Matches]


def search_space(
    inputs: FeatureSets,
    *,
    families: Families,
    honest: Queries,
    kept: Ints,
    k: int,
    skip_broken: bool,
    progress: Progress | None,
) -> SpaceSearch:
    """Search generated and honest images in every form of the kept training images.

    Args:
        inputs: the sets in this space.
        families: the forms by family, the images as they are first.
        honest: the rows that stand for an honest generator.
        kept: rows of the training set that are compared with.
        k: neighbours for display; at least `REFERENCE` are looked for where there are so many.
        skip_broken: as when the features were made.
        progress: told about each form.
    """
    metric = metric_of(inputs.backbone)
    queries = {"generated": Queries(array=inputs.by_role["generated"].array), "honest": honest}
    found = {
        family: nearest_over_forms(
            queries,
            (_form(inputs, one, kept, skip_broken=skip_broken, progress=progress) for one in forms),
            kept=kept,
            k=min(max(k, REFERENCE), len(kept) - honest.extra),
            metric=metric,
        )
        for family, forms in families.items()
    }
    return SpaceSearch(
        name=inputs.backbone,
        metric=metric,
        families=families,
        generated={family: one["generated"] for family, one in found.items()},
        honest={family: one["honest"] for family, one in found.items()},
    )


def _form(
    inputs: FeatureSets,
    transformation: Augmentation,
    kept: Ints,
    *,
    skip_broken: bool,
    progress: Progress | None,
) -> Iterator[Any]:
    """Features of the kept training images in one form, part by part."""
    rows, extractor = inputs.by_role["train"], inputs.extractor
    if progress:
        words = f" with train {transformation.phrase}" if transformation.phrase else ""
        progress(f"comparing{words}, in {inputs.backbone}", 0, None)
    if transformation == IDENTITY:
        yield from _kept_parts(rows.array, kept)
    elif rows.source is None or extractor is None:
        raise AssertionError("only images can be transformed")
    elif is_streamed(extractor):
        yield from _streamed(rows.source, extractor, transformation, kept, skip_broken=skip_broken)
    else:
        features = extract(
            rows.source,
            extractor=extractor,
            augmentation=transformation,
            skip_broken=skip_broken,
            progress=progress,
        )
        yield from _kept_parts(features.array, kept)


def is_streamed(extractor: FeatureExtractor) -> bool:
    """Whether features are cheaper to make again than to keep: those of no network."""
    return extractor.weights_hash is None


def _kept_parts(array: Any, kept: Ints) -> Iterator[Any]:
    if len(kept) == int(array.shape[0]):
        yield array
        return
    for start in range(0, len(kept), _BLOCK_ROWS):
        yield take_rows(array, kept[start : start + _BLOCK_ROWS])


def _streamed(
    source: ImageSource,
    extractor: FeatureExtractor,
    transformation: Augmentation,
    kept: Ints,
    *,
    skip_broken: bool,
) -> Iterator[Any]:
    batches = read_batches(
        source,
        transform=image_transform(extractor, transformation),
        batch_size=_STREAM_ROWS,
        skip_broken=skip_broken,
    )
    first = 0
    with closing(batches):
        for batch in batches:
            count = len(batch.positions)
            if not count:
                continue
            low, high = np.searchsorted(kept, (first, first + count))
            features, _ = extractor.run(batch.array)
            yield features[kept[low:high] - first]
            first += count


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A space with its p-values.

    Attributes:
        space: for the audit.
        tests: the generated images' scores by family, float64 [F, n].
        honest: the honest images' scores by family, each among the others, float64 [F, m].
        perfect: the scores of a perfect copy by family, float64 [F, 1].
        own: the honest images' p-values in this space, each among the others, float64 [m].
        least: the p-value of a perfect copy in this space.
    """

    space: Space
    tests: Floats
    honest: Floats
    perfect: Floats
    own: Floats
    least: float


def judge_space(
    found: SpaceSearch,
    inputs: FeatureSets,
    *,
    source: str,
    k: int,
    every: Sequence[Augmentation],
    spared: Bools,
    thinned: bool,
) -> Judged:
    """P-values and copied fraction of one space.

    Every family has a null of its own: the nearest of ten crops is nearer than the nearest image,
    and were they judged together, ordinary copies would be harder to see.

    Args:
        found: the searches.
        inputs: the sets in this space.
        source: where the honest images come from, "test" or "train".
        k: neighbours to keep for display.
        every: all forms of the audit.
        spared: bool [m], honest images that are left out as duplicates of training images.
        thinned: some of them for their distance, so that the others are farther off than honest
            images are, and the copied fraction has no interval.
    """
    statistics = {
        family: statistic_of(matches, found.metric) for family, matches in found.generated.items()
    }
    honest = {
        family: statistic_of(matches, found.metric)[0][~spared]
        for family, matches in found.honest.items()
    }
    nulls = {family: null_distribution(values) for family, values in honest.items()}
    tests = np.stack([nulls[family].scores(one) for family, (one, _) in statistics.items()])
    honest_tests = np.stack([nulls[family].own_scores(one) for family, one in honest.items()])
    perfect = np.stack([null.scores(np.zeros(1)) for null in nulls.values()])
    telling = tests.argmin(axis=0)
    statistic, name = statistics[AS_THEY_ARE]
    null = nulls[AS_THEY_ARE]
    if len(tests) == 1:
        combined, own = null.p_values(statistic), null.own_p_values(honest[AS_THEY_ARE])
        least = null.p_values(np.zeros(1))
    else:
        combined, own = combined_p_values(tests, honest_tests)
        least, _ = combined_p_values(perfect, honest_tests)
    shown = telling_first(
        [
            _in_all(matches, found.families[family], every)
            for family, matches in found.generated.items()
        ],
        telling,
        k,
    )
    one_family = len(tests) == 1
    space = Space(
        name=found.name,
        metric=found.metric,
        distances=shown.distances,
        train=shown.train,
        transformations=shown.forms,
        forms=np.array([every.index(one) for forms in found.families.values() for one in forms]),
        ratio=np.stack([_ratio(one.distances) for one in found.generated.values()])[
            telling, np.arange(len(telling))
        ],
        statistic=statistic,
        statistic_name=name,
        p_values=combined,
        null=Null(
            source=source,
            statistic=null.values,
            tail=null.tail,
            exponent=null.exponent,
            dropped=int(spared.sum()),
        ),
        copied_fraction=share_of_copies(
            generated=statistic if one_family else tests.min(axis=0),
            honest=honest[AS_THEY_ARE] if one_family else honest_tests.min(axis=0),
            train_rows=int(inputs.by_role["train"].array.shape[0]),
            thinned=thinned,
        )
        if source == "test"
        else None,
        backbone=_backbone(inputs),
    )
    return Judged(
        space=space,
        tests=tests,
        honest=honest_tests,
        perfect=perfect,
        own=own,
        least=float(least[0]),
    )


def share_of_copies(*, generated: Floats, honest: Floats, train_rows: int, thinned: bool) -> Result:
    """`copied_fraction` of an audit.

    Args:
        generated: float64 [n], statistics or scores, small for copies.
        honest: float64 [m], the same of held-out images.
        train_rows: size of the training set, for the result.
        thinned: held-out images were left out for the very distance that is compared. The
            estimate then counts whatever is closer than the others, honest near-duplicates too;
            no interval about copies can be given.
    """
    found = copied_fraction_from(generated=generated, test=honest, train_rows=train_rows)
    if not thinned:
        return found
    uncertain = ("p_value", "fewest_below")
    return replace(
        found,
        interval=None,
        parts={name: value for name, value in found.parts.items() if name not in uncertain},
        notes=(
            "no interval: held-out images that nearly repeat training images were left out "
            "(--drop-duplicates), and honest generated images that do so too would count as copies "
            "here.",
        ),
    )


def _in_all(
    matches: Matches, forms: Sequence[Augmentation], every: Sequence[Augmentation]
) -> Matches:
    """The matches of one family with its forms numbered as among all forms."""
    places = np.array([every.index(one) for one in forms], dtype=np.int64)
    return replace(matches, forms=places[matches.forms])


def _ratio(distances: Floats) -> Floats:
    """d1/d2, float64 [n]; 1 where both are 0 or there is no second."""
    if distances.shape[1] < 2:
        return np.ones(len(distances))
    first, second = _snapped(distances[:, 0]), _snapped(distances[:, 1])
    return np.divide(first, second, out=np.ones_like(first), where=second > 0)


def _backbone(inputs: FeatureSets) -> dict[str, Any]:
    if inputs.extractor is None:
        return {"name": "features", "dimension": int(inputs.by_role["train"].array.shape[1])}
    return inputs.extractor.describe()
