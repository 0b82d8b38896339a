"""Method, power and limits of an audit, in lay words."""

from __future__ import annotations

from genmem.auditing.local import LOCAL
from genmem.formatting import count, join_words, percent, printable, share
from genmem.report.dossier.stored_audit import StoredAudit
from genmem.scoring.missed_kinds import missed_kinds

_CHANGES = (
    ("flip", "mirrored copies"),
    ("vflip", "copies upside down"),
    ("crop", "enlarged parts of training images"),
    ("rotat", "rotated copies"),
    ("gray", "copies without color"),
)
"""What augmentations of training images find, by the start of their names."""


def searched_kinds(audit: StoredAudit) -> list[str]:
    """The kinds of copies that were searched for, as words after "for"."""
    names = [str(name) for name in audit.numbers["augmentations"]]
    return [
        "copies of whole training images, exact or slightly altered",
        *(kind for start, kind in _CHANGES if any(name.startswith(start) for name in names)),
        *(["parts of training images, also pasted into other pictures"] if _local(audit) else []),
    ]


def not_searched(audit: StoredAudit) -> list[str]:
    """What this audit did not look for, as words after "not searched for"."""
    spaces = [name for name in audit.numbers["spaces"] if name != LOCAL]
    return [
        missed_kinds(
            spaces, parts=_local(audit), augmentations=list(audit.numbers["augmentations"])
        ),
        "copies that were redrawn, repainted or set in another style",
        "copies of images that are not in the training set given here",
        "likeness of style, character or person without a copied picture",
    ]


def _local(audit: StoredAudit) -> bool:
    """Whether matching regions were searched for."""
    return LOCAL in audit.numbers["spaces"]


def lay_name(space: str) -> str:
    """What a space compares, in lay words."""
    if space == LOCAL:
        return "shared regions"
    if space.startswith("pixels"):
        return "point by point"
    return "features" if space == "features" else "what the pictures show"


def power_sentence(audit: StoredAudit) -> str:
    """What this audit would have found, in one sentence."""
    power = audit.numbers.get("power")
    if not power:
        return (
            "How many disguised copies this audit would have found was not measured: the audit ran "
            "without its test of power."
        )
    planted = f"{power['planted']:,} disguised copies of training images were planted as a test."
    if not audit.verdict.comparable:
        return f"{planted} They say nothing, since flags say nothing here."
    bound = str(power["sentence"]).replace("in this table", "in section 4")
    return (
        f"{planted} {power['flagged']:,} of them ({share(power['share'])}) would have been flagged "
        f"if {power['copies']:,} of the {power['images']:,} generated images were copies of one "
        f"kind. {bound if audit.verdict.tells_share else ''}"
    ).strip()


def method_sentences(audit: StoredAudit) -> list[str]:
    """How the audit decides, for readers who have never met a p-value."""
    spaces = list(audit.numbers["spaces"])
    ways = [f"{lay_name(name)} ({printable(name)})" for name in audit.numbers["spaces"]]
    held_out = audit.count("test") is not None
    honest = "held-out images" if held_out else "training images, each left out in turn,"
    sentences = [
        "The audit asks of every generated image: is it closer to a training image than a new "
        "image, made without knowing the training images, would be?",
        f"To know how close new images come by chance, it measures {honest} in the same way, and "
        "takes them as honest images. A generated image that is closer to a training image than "
        "practically all honest images are is evidence of copying.",
        f"Closeness was measured in {count(len(spaces), 'way')}: {join_words(ways)}. Each finds "
        "copies that another misses; their results are combined into one number for each image.",
        f"That number, p, is the chance that an honest image comes as close. Among "
        f"{count(audit.images, 'image')} some come close by chance, so p is corrected for the "
        f"number of images (q), and an image is flagged where q is at most "
        f"{percent(float(audit.numbers['level']))}. On average, no more than that share of the "
        "flagged images are honest.",
    ]
    if len(spaces) == 1:
        sentences[2] = (
            f"Closeness was measured in one way: {ways[0]}. Another way may find copies that "
            "this one misses."
        )
    if _local(audit):
        sentences.append(
            "For shared regions, small distinctive places of the pictures were matched. Where "
            "many of them fit one common shift, turn and scale, one picture contains a part of the "
            "other; outlines in the pictures show it."
        )
    return sentences


def limit_sentences(audit: StoredAudit) -> list[str]:
    """What the result does not say."""
    return [
        f"This audit did not search for {join_words(not_searched(audit), last='or')}.",
        "It speaks of the generated images that were given, not of everything that the generator "
        "can produce. Another prompt, seed or setting can give other images.",
        "It compares pictures. That an image was used for training can leak in other ways without "
        "any copy of it: distance tests do not show membership privacy.",
        "A flag is a statistical finding about closeness. Whether a picture is a copy in the sense "
        "of the law is for people to decide, who look at both pictures.",
        "The honest images must be of the same kind as the training images: same source, same "
        "processing, no image in both. Otherwise flags are too many or too few.",
    ]
