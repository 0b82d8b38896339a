"""From sets of images or features to a `Score`: extraction and metrics, put together once.

score.py              `genmem.score`: the whole way, in one call
one_space.py          the score of sets whose features are extracted
running.py            `genmem.RunningScore`: the same for images that come in batches
plan.py               which metrics are computed, decided before any image is read
feature_sets.py       sources of images or features → the features of each set
gpu.py                rows on the GPU, where they fit
stored_sets.py        references in the place of train and test
metric_inputs.py      what metrics can take as inputs; shared searches and moments, computed once
searches.py           nearest training rows by both distances; what a running score remembers
cost.py               what a comparison costs, estimated before it starts
protocols.py          what published numbers of other tools are computed with
compute.py            each metric of the plan, computed as its registry entry says
verdict_evidence.py   what a score's metrics and distances give to the rule of the verdict
evidence.py           what that rule judges
verdict_rule.py       that rule, for `score` and `audit`
verdict_over_spaces.py one verdict of several feature spaces
several_spaces.py     `score` in several feature spaces
held_out.py           whether there are held-out images to compare with, and enough of each kind
exact_copies.py       exact copies of training images, and what explains them
missed_kinds.py       kinds of copies that a comparison does not look for
closest.py            the closest generated/training pairs and their pictures
"""

from genmem.scoring.running import RunningScore
from genmem.scoring.score import score

__all__ = ["RunningScore", "score"]
