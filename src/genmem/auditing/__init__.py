"""Which generated images are copies, of which training images, and how sure that is.

audit.py              `genmem.audit`: the whole way, in one call, by the four files below
arguments.py          the arguments, checked; limits, and the times of the stages
loading.py            the sets, opened and loaded in every feature space
searches.py           all searches: repetitions, groups, every feature space, local evidence
assembly.py           from the searches to an `Audit`: tests, flags, power, notes
results.py            `Audit` and the copied training images, frozen
space_results.py      `SpaceResult`, `NullSample` and `Duplicates`: what one space says, frozen
augment_option.py     `--augment`: which of `images.augmentations` each space compares
cost_estimate.py      the expected running time, announced before the work
groups.py             groups of images (bursts, scenes, patients), each of which counts once
group_labels.py       `--groups`: the group of each image, by folder, file, labels or likeness
duplicates.py         near-duplicates inside train, and between test and train
same_picture.py       whether two pictures are the same, detail by detail, or merely alike
feature_spaces.py     the search in one feature space: features of every augmentation
search.py             the k nearest training images over all augmentations, exactly
stored_matches.py     those that a reference holds already
space_tests.py        any number of statistics, each with its null, combined to one p-value
copied_share.py       the share of copies in each space and over all
statistics.py         the statistics of one space and their weights
significance.py       p-values of each space and of all together;
                      `calibration.q_values` turns p-values into q-values
local/                local evidence: regions that images share
local_search.py       local evidence in an audit: candidates, test, why it was not looked for
review.py             reviewers' marks of flagged pairs, and the share of false flags
power.py              `--power`: planted copies, and what would have been flagged of them
power_results.py      `Power` and its rows, frozen
verdict_evidence.py   what an audit's flags and distances give to the rule of the verdict,
                      `scoring.verdict_rule`
detectable_copies.py  how few copies could be found at all, announced before the work
exact_copies.py       images equal to a training image, to the pixel
caveats.py            what a reader of the flags must know
thumbnails.py         the images behind the rows, for visual inspection
"""

from genmem.auditing.audit import audit
from genmem.auditing.power_results import DisguisePower, Power
from genmem.auditing.results import Audit, CopiedImage, Thumbnails, copied_images, copies_by_class
from genmem.auditing.space_results import Duplicates, NullSample, SpaceResult

__all__ = [
    "Audit",
    "CopiedImage",
    "DisguisePower",
    "Duplicates",
    "NullSample",
    "Power",
    "SpaceResult",
    "Thumbnails",
    "audit",
    "copied_images",
    "copies_by_class",
]
