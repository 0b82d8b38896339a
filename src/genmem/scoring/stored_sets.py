"""References in the place of train (and test): opened, and what results say of them.

`open_references` is where a command turns `--train train.genmem` into sets. What it gives are
`StoredSet`s, which `load_feature_sets` makes `FeatureSet`s of, with `stored` set and no `source`.
Where an audit asks for pixels (augmented training images, local evidence, pairs to look at), a
`FeatureSet` with `stored` has none, or thumbnails only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmem.errors import UsageError
from genmem.reference import Reference, is_reference, open_reference
from genmem.reference.manifest import SetEntry
from genmem.reference.reference import ReferenceSpace, Role
from genmem.results import Json


@dataclass(frozen=True)
class StoredSet:
    """A set of a reference, in place of a source.

    Attributes:
        reference: opened.
        role: which of its sets.
        space: the feature space, once it is known.
    """

    reference: Reference
    role: Role
    space: ReferenceSpace | None = None

    def __len__(self) -> int:
        return self.entry.count

    @property
    def entry(self) -> SetEntry:
        """The set in the reference's manifest."""
        return self.reference.manifest.sets[self.role]

    @property
    def classes(self) -> list[str | None]:
        """The class of each row; None where it has none."""
        return self.reference.ids(self.role).classes


def open_references(sources: Mapping[str, Any], *, held_out: bool = True) -> dict[str, Any]:
    """The sources of one comparison, a reference opened: its sets take the place of train and test.

    Args:
        sources: by role, whatever `genmem.score` takes.
        held_out: add the held-out set of the reference where there is no "test".

    Raises:
        UsageError: a reference stands elsewhere than in the place of the training set.
        InputError: it is damaged.
    """
    opened = dict(sources)
    for role, source in sources.items():
        if not is_reference(source):
            continue
        if role != "train":
            name = source.name if isinstance(source, Reference) else Path(source).name
            raise UsageError(
                f"{role}: expected images or features, got the reference {name}, which takes the "
                "place of the training set (--train) and of its held-out images."
            )
        stored = stored_train(source)
        opened["train"], reference = stored, stored.reference
        if held_out and reference.has_test and "test" not in sources:
            opened["test"] = StoredSet(reference, "test")
    return opened


def stored_train(source: Any) -> StoredSet:
    """The training set of a reference.

    Args:
        source: of which `is_reference` is true.

    Raises:
        InputError: it is damaged.
    """
    reference = source if isinstance(source, Reference) else open_reference(source)
    return StoredSet(reference, "train")


def default_backbone(train: Any) -> str:
    """The backbone where none is named: the first of a reference, else "inception"."""
    if is_reference(train):
        train = open_references({"train": train})["train"]
    return train.reference.spaces[0] if isinstance(train, StoredSet) else "inception"


def reference_provenance(train: StoredSet | None) -> dict[str, Json]:
    """Where the sets of a reference come from, for a result's provenance; {} without one."""
    if train is None:
        return {}
    manifest = train.reference.manifest
    return {
        "reference": {
            "name": train.reference.name,
            "genmem": manifest.genmem,
            "date": manifest.date,
            "train": manifest.train.source,
            "licence": manifest.licence,
            "contact": manifest.contact,
        }
    }


def reference_notes(
    train: StoredSet | None, test: StoredSet | None, *, pictures: bool
) -> Iterator[str]:
    """Sentences on what a reference gave and what it lacks.

    Args:
        train: the training set; None where it is no reference.
        test: the held-out set of the same reference, where it is compared with.
        pictures: generated images are shown beside training images.
    """
    if train is None:
        return
    name = train.reference.name
    if test is not None:
        source = test.reference.manifest.sets["test"].source
        yield f"the held-out images are those of {name} ({source})."
    entry = train.reference.manifest.train
    if entry.kind == "images" and not entry.thumbnails and pictures:
        yield (
            f"training images are not shown: {name} was made without them (--no-images). Make it "
            "again with thumbnails, or give the images (--train)."
        )
