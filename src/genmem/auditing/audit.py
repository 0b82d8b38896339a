"""`genmem.audit`: which generated images are copies, of which training images, how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from genmem.arrays import as_source
from genmem.auditing.arguments import Arguments
from genmem.auditing.assembly import assemble_audit
from genmem.auditing.augment_option import parse_families
from genmem.auditing.feature_spaces import find_audit_backbones
from genmem.auditing.group_labels import GroupsOption
from genmem.auditing.loading import load_spaces
from genmem.auditing.results import Audit
from genmem.auditing.searches import search_spaces
from genmem.auditing.verdict_evidence import add_verdict
from genmem.features import Backbones, Device, find_backbone, is_feature_source
from genmem.images import ValueRange
from genmem.progress import ProgressOption, show_progress
from genmem.scoring.feature_sets import ExtractOptions
from genmem.scoring.stored_sets import StoredSet, open_references


def audit(
    *,
    generated: Any,
    train: Any,
    test: Any = None,
    backbone: Backbones | None = None,
    augment: Sequence[str] = (),
    neighbors: int = 5,
    level: float = 0.05,
    local: bool | None = None,
    drop_duplicates: bool = False,
    groups: GroupsOption | None = None,
    power: bool = False,
    classes: bool = False,
    seed: int = 0,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    announce: Callable[[str], None] | None = None,
    progress: ProgressOption = None,
) -> Audit:
    """Find the generated images that are copies, and the training images they copy.

    In each feature space an image's distance to the nearest training image (over all augmentations
    of the training images) is compared with the same distance of honest images, which gives its
    p-value (`calibration.null_distribution`). The smallest of an image's p-values, over spaces and
    families of augmentations, is compared with the smallest of each honest image, which gives one
    p-value; images are flagged by Benjamini and Hochberg's rule at the false-discovery rate
    `level`. That is the expected share of honest images among the flagged ones, if the honest
    images are what an honest generator would produce.

    Args:
        generated: whatever `genmem.score` takes.
        train: the training set, or a reference (`docs/reference.md`), which takes the place of the
            images, except where their pixels are needed: for `augment`, `local` and `power`.
        test: held-out images of the same kind; None for those of a reference, and without any for
            training images, each left out in turn.
        backbone: one or several feature spaces; features ("efficientnet-lite0") miss noise and
            compression, pixels miss flips and crops, so name several. Each as in `genmem.score`,
            except that "pixels" is `pixels@64`: images are stretched to one size, in pixels a
            side. Unused where features are given. None for all of a reference, else
            "efficientnet-lite0,pixels@64", which need no download and take images of any size.
        augment: families of augmentations of the training images to compare with too: "flip",
            "crops"; "pixels@64:crops" for that space alone. Each multiplies the number of training
            images by its augmentations, cheap in pixels and expensive in a network's features.
        neighbors: number of nearest training images to list for each generated image.
        level: false-discovery rate at which images are flagged, in (0, 1).
        local: also look for regions that an image shares with a training image, such as crops,
            collages and cut-outs show (`auditing.local`), as a test of its own. None: where images
            are given, of 64 pixels or more, and the extra `local` is installed.
        drop_duplicates: count near-duplicate training images as one, and leave held-out images
            that nearly repeat a training image out of the null. Flags then ask whether an image is
            closer than held-out images that are no near-duplicates, and where any was left out
            for its distance, the copied fraction has no interval.
        groups: images that belong together (bursts, scenes, products, patients), each group of
            which then counts once in the null: the number of the first folders of an image's path;
            a CSV file with the columns id and group (and set, where sets share ids);
            "near-duplicates", for clusters of the held-out images; or labels by role, one a row.
            Images without a group stand for themselves. Held-out images of groups that are in
            train too are left out.
        power: plant disguised copies of training images, test them like the generated images, and
            report what would have been flagged (`Audit.power`). Needs images, not features.
        classes: report the training images' classes (their folders or labels).
        seed: seed of samples.
        weights: weights file of a single backbone; None to look for it.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: images per call of a network; None for what its engine is fastest at.
        value_range: as for `genmem.score`.
        skip_broken: leave broken images out, with a note, instead of stopping at the first.
        announce: called with sentences on the expected cost, before the work starts.
        progress: as for `genmem.score`.

    Returns:
        An `Audit`. It can show the images until it is closed: use it as a context manager.

    Raises:
        InputError: a set is empty, broken, not finite, or does not go with the others.
        UsageError: an argument is unknown or does not go with the others.
        WeightsError: a backbone's weights are missing and cannot be obtained.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> rng = np.random.default_rng(0)
        >>> train, test = rng.normal(size=(2, 200, 16))
        >>> generated = np.concatenate([train[:10], rng.normal(size=(90, 16))])
        >>> with genmem.audit(generated=generated, train=train, test=test) as result:
        ...     print(result.flagged.nonzero()[0])
        [0 1 2 3 4 5 6 7 8 9]
    """
    sources = {"generated": generated, "train": train}
    if test is not None:
        sources["test"] = test
    sources = {role: as_source(source, role=role) for role, source in sources.items()}
    sources = open_references(sources)
    networks = find_audit_backbones(backbone, sources, weights=weights)
    names = [find_backbone(network).name for network in networks]
    augmentations, families = parse_families(augment, names)
    with show_progress(progress) as show:
        arguments = Arguments(
            sources=sources,
            are_features={
                role: not isinstance(source, StoredSet) and is_feature_source(source)
                for role, source in sources.items()
            },
            networks=networks,
            augmentations=augmentations,
            families=families,
            neighbors=neighbors,
            level=level,
            local=local,
            drop_duplicates=drop_duplicates,
            groups=groups,
            power=power,
            classes=classes,
            seed=seed,
            options=ExtractOptions(
                weights=weights,
                device=device,
                batch_size=batch_size,
                value_range=value_range,
                skip_broken=skip_broken,
                progress=show,
            ),
            announce=announce or (lambda sentence: None),
        )
        arguments.check()
        return _run(arguments)


def _run(arguments: Arguments) -> Audit:
    """The steps of an audit; the result keeps the files of its thumbnails open."""
    started = time.perf_counter()
    with ExitStack() as stack:
        spaces = load_spaces(arguments, stack)
        searches = search_spaces(arguments, spaces)
        result, honest = assemble_audit(arguments, searches, stack)
        with arguments.timed("yardstick"):
            result = add_verdict(result, searches, honest, seed=arguments.seed)
    arguments.seconds["total"] = time.perf_counter() - started
    return result
