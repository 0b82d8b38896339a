"""One verdict of the evidence in several feature spaces: that of the space that shows most.

The rule is that of `verdict_rule`, space by space, and:

- The strongest label of any space is the label of the whole, and its sentence comes first; what
  the other spaces show stands in the reasons. No space silences another.
- An accusation by a share of close images must be as many times rarer as there are spaces, so that
  an honest generator is accused no more often than in one. What only one space would call copying
  is suspicious at least.
- Held-out images are a yardstick where they are one in every space: see `merge_yardsticks`.
- "No sign" speaks of the spaces that could have shown one, and bounds the copies in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from genmem.formatting import in_space, join_words, printable, share
from genmem.results import Label, Verdict
from genmem.scoring.evidence import Evidence
from genmem.scoring.missed_kinds import missed_kinds
from genmem.scoring.verdict_rule import decide

_STRENGTH: tuple[Label, ...] = ("copying", "suspicious", "no-yardstick", "no-sign", "open")
"""The labels, the strongest first."""


def decide_over_spaces(by_space: Mapping[str, Evidence]) -> Verdict:
    """The verdict on one comparison in several feature spaces.

    Args:
        by_space: the evidence in each, by its name; all of the same images, with one yardstick.
    """
    shares = _shares(by_space)
    missed = missed_kinds(list(by_space))
    by_space = {
        name: replace(evidence, missed=missed, shares=shares, spaces=len(by_space))
        for name, evidence in by_space.items()
    }
    verdicts = {name: decide(evidence) for name, evidence in by_space.items()}
    order = sorted(
        by_space, key=lambda name: (_STRENGTH.index(verdicts[name].label), -_low(by_space[name]))
    )
    first = verdicts[order[0]]
    if first.label == "no-sign":
        silent = {name: by_space[name] for name in by_space if verdicts[name].label == "no-sign"}
        first = _no_sign(silent)
    others = [verdicts[name] for name in order[1:] if verdicts[name].label != "no-sign"]
    sentences = [one.sentence for one in others if one.label not in ("copying", "suspicious")]
    reasons = [*first.reasons, *(reason for one in others for reason in one.reasons)]
    reasons += [sentence for sentence in sentences if sentence != first.sentence]
    return replace(
        first,
        reasons=tuple(dict.fromkeys(reasons)),
        basis=tuple(dict.fromkeys(ground for name in order for ground in verdicts[name].basis)),
    )


def _no_sign(by_space: Mapping[str, Evidence]) -> Verdict:
    """Of spaces none of which shows a sign: one sentence for all, with the bound in each."""
    names = [printable(name) for name in by_space]
    bounds = [
        f"{share(fraction.interval.high)} {in_space(name)}"
        for name, evidence in by_space.items()
        if (fraction := evidence.fraction) is not None and fraction.interval is not None
    ]
    weakest = max(by_space.values(), key=_detectable)
    return decide(
        replace(
            weakest,
            where=f"in {join_words(names, last='or')}",
            missed=missed_kinds(list(by_space)),
            bound=f"At most {join_words(bounds)} of the {weakest.unit} are copies that lie closer "
            "to training images there than honest images ever do.",
        )
    )


def _shares(by_space: Mapping[str, Evidence]) -> str:
    """The share of copies in each space, where one shows any, as a sentence; else empty."""
    fractions = {
        name: evidence.fraction
        for name, evidence in by_space.items()
        if evidence.fraction is not None and evidence.fraction.interval is not None
    }
    if not any(_low(by_space[name]) > 0 for name in fractions):
        return ""
    listed = join_words(
        [f"{share(fraction.value)} {in_space(name)}" for name, fraction in fractions.items()]
    )
    return (
        f"Share of copies by feature space: {listed}. Each is a lower bound: a space misses the "
        "copies that it does not recognize. An audit names them image by image."
    )


def _low(evidence: Evidence) -> float:
    fraction = evidence.fraction
    return 0.0 if fraction is None or fraction.interval is None else fraction.interval.low


def _detectable(evidence: Evidence) -> float:
    detectable = evidence.fraction.parts.get("detectable_share") if evidence.fraction else None
    return detectable if isinstance(detectable, float) else 1.0
