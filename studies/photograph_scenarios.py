"""Honest generators that held-out images make look like copies, and what an audit says of them.

Every scenario draws training, held-out and generated images from real photographs: the "generated"
ones are photographs that nobody copied. An audit must not accuse them, and where the held-out
images are no yardstick it must say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import genmem
from genmem.images.disguises.values import blur, resize
from genmem.results import Verdict
from studies.feature_store import FeatureStore
from studies.photograph_sets import Photograph, encode_image

Ints = NDArray[np.int64]
ACCUSING = ("copying", "suspicious")
NEAREST = 10


@dataclass(frozen=True)
class Sets:
    """Encoded images of one draw."""

    train: Sequence[bytes]
    test: Sequence[bytes]
    generated: Sequence[bytes]


@dataclass(frozen=True, kw_only=True)
class Material:
    """The photographs in several forms, row by row, and images of another domain.

    Attributes:
        forms: by name ("PNG", "JPEG 20", …), encoded images.
        groups: int64, the group of each photograph.
        dense: bool, the fifth of the photographs with the nearest neighbors.
        other: encoded images of another domain.
        sizes: training, held-out and generated images.
    """

    forms: Mapping[str, Sequence[bytes]]
    groups: Ints
    dense: NDArray[np.bool_]
    other: Sequence[bytes]
    sizes: tuple[int, int, int]

    @property
    def has_scenes(self) -> bool:
        """Whether groups hold several images each, as patches of one picture."""
        return len(self.groups) >= 5 * len(np.unique(self.groups))

    def take(self, rows: Ints, form: str = "PNG") -> list[bytes]:
        """Photographs in one form."""
        return [self.forms[form][row] for row in rows.tolist()]

    def split(self, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Rows of train, held-out and generated images at random."""
        order = rng.permutation(len(self.groups))
        train, test, generated = self.sizes
        return np.split(order[: train + test + generated], [train, train + test])  # pyright: ignore[reportReturnType]

    def by_group(self, rng: np.random.Generator, sizes: Sequence[int]) -> list[Ints]:
        """Rows of sets that share no group, in random order, as many as there are."""
        order = rng.permutation(int(self.groups.max()) + 1).tolist()
        sets = []
        for size in sizes:
            rows = np.empty(0, np.int64)
            while len(rows) < size and order:
                rows = np.concatenate([rows, np.flatnonzero(self.groups == order.pop())])
            sets.append(rng.permutation(rows)[:size])
        return sets


Draw = Callable[[Material, np.random.Generator], Sets]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of honest generator, or held-out set.

    Attributes:
        name: for the table.
        draw: draws its sets.
        label: the label that the verdict must have; None: any that does not accuse.
        word: a word that the verdict's sentence or reasons must have; None without.
        honest: nothing is copied.
        scenes: it takes several images of the same picture.
    """

    name: str
    draw: Draw
    label: str | None = None
    word: str | None = None
    honest: bool = True
    scenes: bool = False


def build_material(
    photographs: Sequence[Photograph],
    other: Sequence[Photograph],
    store: FeatureStore,
    *,
    sizes: tuple[int, int, int],
    space: str,
) -> Material:
    """The photographs in every form, with their features in the store."""
    pixels = [photograph.pixels for photograph in photographs]
    forms = {
        "PNG": [encode_image(image, "PNG") for image in pixels],
        "JPEG 20": [encode_image(image, "JPEG", quality=20) for image in pixels],
        "small JPEG 20": [
            encode_image(resize(image, (320, 240)), "JPEG", quality=20) for image in pixels
        ],
        "blurred": [encode_image(blur(image, share=0.008), "PNG") for image in pixels],
    }
    another = [encode_image(photograph.pixels, "PNG") for photograph in other]
    for contents in (*forms.values(), another):
        store.add(contents)
    names = sorted({photograph.group for photograph in photographs})
    groups = np.array([names.index(photograph.group) for photograph in photographs])
    return Material(
        forms=forms,
        groups=groups,
        dense=_densest_fifth(store.features(forms["PNG"], space)),
        other=another,
        sizes=sizes,
    )


def _densest_fifth(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    distances = np.sort(1 - rows @ rows.T, axis=1)[:, NEAREST]
    return distances <= np.quantile(distances, 0.2)


def _same_kind(material: Material, rng: np.random.Generator) -> Sets:
    train, test, generated = material.split(rng)
    return Sets(material.take(train), material.take(test), material.take(generated))


def _in_form(form: str) -> Draw:
    """Train and generated images in one form, held-out ones as PNG."""

    def draw(material: Material, rng: np.random.Generator) -> Sets:
        train, test, generated = material.split(rng)
        return Sets(material.take(train, form), material.take(test), material.take(generated, form))

    return draw


def _generated_in(form: str) -> Draw:
    def draw(material: Material, rng: np.random.Generator) -> Sets:
        train, test, generated = material.split(rng)
        return Sets(material.take(train), material.take(test), material.take(generated, form))

    return draw


def _held_out_of_another_domain(share: float) -> Draw:
    def draw(material: Material, rng: np.random.Generator) -> Sets:
        train, test, generated = material.split(rng)
        count = round(share * len(test))
        other = [material.other[row] for row in rng.permutation(len(material.other))[:count]]
        test = [*other, *material.take(test[count:])]
        return Sets(material.take(train), test, material.take(generated))

    return draw


def _narrow(material: Material, rng: np.random.Generator) -> Sets:
    """Only photographs of the densest fifth are generated."""
    dense = rng.permutation(np.flatnonzero(material.dense))[: material.sizes[2]]
    generated = dense[: max(20, 2 * len(dense) // 3)]
    rest = rng.permutation(np.setdiff1d(np.arange(len(material.groups)), generated))
    train, test, _ = material.sizes
    return Sets(
        material.take(rest[:train]),
        material.take(rest[train : train + test]),
        material.take(generated),
    )


def _few_groups(material: Material, rng: np.random.Generator) -> Sets:
    """Only a few pictures' patches are generated; all are trained on and held out."""
    counts = np.bincount(material.groups)
    chosen = rng.permutation(np.argsort(counts)[-8:])[:3]
    rows = rng.permutation(np.flatnonzero(np.isin(material.groups, chosen)))
    generated = rows[: len(rows) // 2]
    rest = rng.permutation(np.setdiff1d(np.arange(len(material.groups)), generated))
    train, test, _ = material.sizes
    return Sets(
        material.take(rest[:train]),
        material.take(rest[train : train + test]),
        material.take(generated),
    )


def _new_frames(material: Material, rng: np.random.Generator) -> Sets:
    """New patches of the pictures that were trained on; held-out ones are of other pictures."""
    train, test, generated = material.sizes
    both, held_out = material.by_group(rng, (train + generated, test))
    return Sets(material.take(both[:train]), material.take(held_out), material.take(both[train:]))


def _split_by_group(material: Material, rng: np.random.Generator) -> Sets:
    """Training, held-out and generated images are of different pictures."""
    return Sets(*(material.take(rows) for rows in material.by_group(rng, material.sizes)))


def _few_images(material: Material, rng: np.random.Generator) -> Sets:
    train, test, generated = material.split(rng)
    return Sets(material.take(train), material.take(test[:20]), material.take(generated[:20]))


def _copying(material: Material, rng: np.random.Generator) -> Sets:
    train, test, generated = material.split(rng)
    copies = len(generated) // 10
    images = [*material.take(train[:copies], "JPEG 20"), *material.take(generated[copies:])]
    return Sets(material.take(train), material.take(test), images)


SCENARIOS = (
    Scenario(name="same kind, random split", draw=_same_kind),
    Scenario(
        name="train and generated JPEG 20, held-out PNG",
        draw=_in_form("JPEG 20"),
        label="no-yardstick",
    ),
    Scenario(
        name="train and generated 320 × 240, JPEG 20, held-out PNG",
        draw=_in_form("small JPEG 20"),
        label="no-yardstick",
    ),
    Scenario(
        name="half of held-out of another domain",
        draw=_held_out_of_another_domain(0.5),
        label="no-yardstick",
    ),
    Scenario(
        name="held-out of another domain",
        draw=_held_out_of_another_domain(1.0),
        label="no-yardstick",
    ),
    Scenario(name="narrow generator (densest fifth)", draw=_narrow, word="narrow"),
    Scenario(name="generated of three pictures only", draw=_few_groups, word="narrow", scenes=True),
    Scenario(
        name="new frames of trained scenes, held-out of others",
        draw=_new_frames,
        label="no-yardstick",
        scenes=True,
    ),
    Scenario(name="split by scene", draw=_split_by_group, scenes=True),
    Scenario(name="generated JPEG 20, the others PNG", draw=_generated_in("JPEG 20")),
    Scenario(name="blurred generator", draw=_generated_in("blurred")),
    Scenario(name="20 generated, 20 held-out", draw=_few_images),
    Scenario(name="(control) a tenth are copies, JPEG 20", draw=_copying, honest=False),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was said in one draw of a scenario.

    Attributes:
        labels: the verdict's label in audit and in score; "none" without a verdict.
        said: the verdicts' sentences, with their reasons.
        flags: flagged images.
    """

    labels: tuple[str, str]
    said: tuple[str, str]
    flags: int

    @property
    def accuses(self) -> bool:
        """Whether audit or score accuses."""
        return any(label in ACCUSING for label in self.labels)

    def warns(self, scenario: Scenario) -> bool:
        """Whether audit and score say what they must."""
        return all(
            _is_right(scenario, label, sentences)
            for label, sentences in zip(self.labels, self.said, strict=True)
        )


def run_draw(
    scenario: Scenario,
    material: Material,
    store: FeatureStore,
    *,
    spaces: Sequence[str],
    local: bool | None,
    seed: int,
) -> Outcome:
    """Audit and score one draw of a scenario."""
    sets = scenario.draw(material, np.random.default_rng([seed, 7]))
    for contents in (sets.train, sets.test, sets.generated):
        store.place(contents)
    try:
        with genmem.audit(
            generated=sets.generated,
            train=sets.train,
            test=sets.test,
            backbone=spaces,
            local=local,
        ) as result:
            flags = int(result.flagged.sum())
            verdicts = [result.verdict]
        score = genmem.score(
            generated=sets.generated, train=sets.train, test=sets.test, backbone=spaces[0]
        )
        verdicts.append(score.verdict)
    finally:
        store.remove_placed()
    first, second = (_describe(verdict) for verdict in verdicts)
    return Outcome(labels=(first[0], second[0]), said=(first[1], second[1]), flags=flags)


def _describe(verdict: Verdict | None) -> tuple[str, str]:
    if verdict is None:
        return "none", ""
    return verdict.label, " ".join((verdict.sentence, *verdict.reasons))


def _is_right(scenario: Scenario, label: str, sentences: str) -> bool:
    """Whether a verdict has the right label, and the word that it must have."""
    right = label == scenario.label
    if scenario.label is None:
        right = label != "none" and (label in ACCUSING) != scenario.honest
    return right and (scenario.word is None or scenario.word in sentences.lower())
