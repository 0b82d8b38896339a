"""`genmem audit --power`: what would have been flagged of planted copies."""

import math

import numpy as np
import pytest
from scipy.stats import binom

import genmem
from genmem.auditing.power import KINDS, compute_power, disguise_names, plant_copies
from genmem.auditing.power_results import DisguisePower
from genmem.calibration.q_values import q_values
from genmem.errors import InputError, UsageError
from genmem.formatting import share
from genmem.images import open_images
from genmem.images.disguises import DISGUISES
from genmem.metrics.intervals import clopper_pearson
from genmem.report.audit.page import write_audit
from genmem.report.audit.power import power_sentences
from genmem.report.audit.text import judged

ROWS = len(disguise_names())


def pictures(count, *, seed, size=(24, 32)):
    """Pictures of random blocks with noise, uint8 [n, H, W, 3]."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, size[0] // 8, size[1] // 8, 3))
    coarse = np.kron(blocks, np.ones((1, 8, 8, 1)))
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def audit():
    train, test, generated = (pictures(60, seed=seed) for seed in range(3))
    with genmem.audit(
        generated=generated, train=train, test=test, backbone=["pixels"], power=True
    ) as result:
        yield result


def uniform_case(*, images=250, honest=250, each=12, seed=0):
    """p-values of an audit without copies and of planted copies that are hardly seen."""
    rng = np.random.default_rng(seed)
    null = (1 + np.arange(honest)) / (honest + 1)
    generated = (1 + rng.integers(honest + 1, size=images)) / (honest + 1)
    planted = (1 + rng.integers(honest + 1, size=ROWS * each)) / (honest + 1)
    return planted, generated, null


def power_of(planted, generated, honest, **changes):
    options = {"groups": None, "min_copies": 20, "level": 0.05, "seed": 0} | changes
    return compute_power(planted, p_values=generated, honest=honest, **options)


def test_kinds_are_disguises_of_two_strengths():
    assert len(KINDS) == 12
    assert {name for _, name in disguise_names()} <= DISGUISES.keys()


def test_an_audit_reports_each_disguise_with_an_exact_interval(audit):
    power = audit.power
    assert [(row.kind, row.disguise) for row in power.disguises] == disguise_names()
    for row in power.disguises:
        assert (row.interval.low, row.interval.high) == clopper_pearson(row.flagged, row.planted)
    assert power.flagged == sum(row.flagged for row in power.disguises)


def test_pixels_find_noise_and_miss_flips(audit):
    shares = {row.disguise: row.share for row in audit.power.disguises}
    assert shares["noise, light"] == 1
    assert shares["flip"] == 0
    assert any("flip (0 of" in note for note in audit.notes)


def test_power_changes_nothing_else_and_stands_in_the_json(audit):
    train, test, generated = (pictures(60, seed=seed) for seed in range(3))
    with genmem.audit(generated=generated, train=train, test=test, backbone=["pixels"]) as without:
        assert without.power is None
        assert "power" not in without.to_dict()
        assert (without.p_values == audit.p_values).all()
    document = audit.to_dict()
    assert document["inputs"].keys() == {"generated", "train", "test"}
    assert document["power"]["sentence"].startswith("At most ")
    assert len(document["power"]["disguises"]) == ROWS


def test_planted_copies_are_searched_for_local_evidence_too():
    train, test, generated = (pictures(24, seed=seed, size=(72, 96)) for seed in range(3))
    sets = {"generated": generated, "train": train, "test": test, "backbone": ["pixels@16"]}
    powers = {}
    for local in (False, True):
        with genmem.audit(**sets, power=True, local=local) as result:
            powers[local] = {row.disguise: row.flagged for row in result.power.disguises}
    assert powers[False]["flip"] == 0
    assert powers[True]["flip"] > 0


def test_features_are_refused_in_one_line():
    rows = np.random.default_rng(0).normal(size=(3, 40, 8))
    with pytest.raises(UsageError, match=r"power: features cannot be disguised; give all sets"):
        genmem.audit(generated=rows[0], train=rows[1], test=rows[2], power=True)


def test_copies_that_no_honest_image_comes_near_are_all_flagged():
    planted, generated, honest = uniform_case()
    power = power_of(np.full_like(planted, honest[0]), generated, honest)
    assert power.share == 1
    assert power.missed == ()
    assert power.caveats() == ()


def test_the_share_flagged_is_that_of_q_values_with_so_many_copies():
    planted, generated, honest = uniform_case()
    planted = planted.reshape(ROWS, -1)
    planted[3] = honest[0]
    power = power_of(planted.ravel(), generated, honest)
    assert power.copies == 22  # a tenth more than the fewest that are flagged
    rest = np.random.default_rng([0, 15]).permutation(250)[: 250 - 22]
    q = q_values(np.concatenate([np.full(22, honest[0]), generated[rest]]), honest)
    assert power.disguises[3].flagged == 12 * (q[0] <= 0.05)


def test_the_bound_is_the_largest_number_of_copies_with_a_likely_count():
    planted, generated, honest = uniform_case()
    power = power_of(np.full_like(planted, honest[0]), generated, honest)
    low = (0.025 / 3) ** (1 / planted.size)  # Clopper and Pearson's limit for all of them
    close = np.count_nonzero(generated <= honest[0])
    possible = [copies for copies in range(251) if binom.cdf(close, copies, low) > 0.025]
    assert power.at_most in {max(possible) / 250}


def test_the_bound_holds_in_nearly_all_draws():
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        planted, generated, honest = uniform_case(images=200, seed=seed)
        seen = 0.7
        planted[rng.random(planted.size) < seen] = honest[0]
        copies = rng.random(200) < 0.08
        generated[copies & (rng.random(200) < seen)] = honest[0]
        power = power_of(planted, generated, honest)
        covered.append(power.at_most >= copies.mean())
    assert np.mean(covered) >= 0.95


def test_without_any_sight_of_copies_the_bound_is_all_images():
    planted, generated, honest = uniform_case()
    assert power_of(np.ones_like(planted), generated, honest, min_copies=None).at_most == 1


def test_few_images_are_planted_and_the_same_ones_each_time():
    with open_images(pictures(30, seed=0)) as train, open_images(pictures(9, seed=1)) as others:
        first, again = (
            plant_copies(train, others, images=100, one_size=True, seed=5) for _ in range(2)
        )
    assert len(first) == 4 * ROWS
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert {copy.shape for copy in first} == {(24, 32, 3)}


def test_images_that_cannot_be_disguised_are_refused():
    tiny = pictures(5, seed=0)[:, :4]
    with open_images(tiny) as train, pytest.raises(InputError, match="power: expected training"):
        plant_copies(train, train, images=100, one_size=True, seed=0)


def test_a_sentence_names_bound_and_level():
    planted, generated, honest = uniform_case()
    power = power_of(np.full_like(planted, honest[0]), generated, honest)
    assert f"At most {share(power.at_most)} of the generated images are copies" in power.sentence
    assert isinstance(power.disguises[0], DisguisePower)
    assert math.isclose(power.interval.high, 1)


def test_the_page_shows_the_table_and_its_sentences(audit, tmp_path):
    write_audit(audit, tmp_path / "audit")
    page = (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")
    assert "What would have been flagged" in page
    assert all(one in page for one in power_sentences(audit.power, judged(audit)))
    assert all(row.disguise in page for row in audit.power.disguises)


def test_groups_of_the_generated_images_are_none_of_the_planted_copies():
    train, test, generated = (pictures(40, seed=seed) for seed in range(3))
    groups = {"generated": np.repeat([f"g{n}" for n in range(20)], 2)}
    groups |= {role: [f"{role}{n}" for n in range(40)] for role in ("train", "test")}
    options = {"backbone": ["pixels"], "groups": groups}
    with genmem.audit(generated=generated, train=train, test=test, power=True, **options) as result:
        assert result.power.planted >= 4 * ROWS
        assert result.copied_fraction.n["generated"] == 20
