import json

import numpy as np
import pytest

import genmem
from genmem.auditing.detectable_copies import announce_detectable, fewest_flagged


def rows(seed, count=400, d=16):
    return np.random.default_rng(seed).normal(size=(count, d)).astype(np.float32)


def both(**sets):
    """The verdicts of the score and the audit of the same features."""
    score = genmem.score(**sets, metrics=["copied_fraction", "c_t", "memorization_ratio"])
    with genmem.audit(**sets) as audit:
        return score, audit


def with_copies(generated, train, count, noise=0.02):
    generated = generated.copy()
    generated[:count] = train[:count] + noise * rows(99, count)
    return generated


def test_score_and_audit_say_the_same_of_the_same_features():
    train, test, honest = rows(0, 600), rows(1), rows(2)
    cases = {
        "no-sign": honest,
        "copying": with_copies(honest, train, 60),
    }
    for label, generated in cases.items():
        score, audit = both(generated=generated, train=train, test=test)
        assert score.verdict.label == audit.verdict.label == label
        assert score["copied_fraction"].value == audit.copied_fraction.value
        assert score["copied_fraction"].interval == audit.copied_fraction.interval
        for document in (score.to_dict(), audit.to_dict()):
            verdict = json.loads(json.dumps(document))["verdict"]
            assert verdict["label"] == label
            assert verdict["sentence"]
            assert document["yardstick"]["holds"]


def test_held_out_images_of_another_kind_accuse_nobody_in_either():
    score, audit = both(generated=rows(2), train=rows(0, 600), test=rows(1) + 0.7)
    assert score.verdict.label == audit.verdict.label == "no-yardstick"
    assert "another kind" in audit.verdict.sentence
    assert not score.yardstick.holds
    assert not audit.yardstick.holds


def test_exact_copies_are_copies_also_without_a_yardstick():
    train = rows(0, 600)
    generated = with_copies(rows(2), train, 40, noise=0.0)
    score, audit = both(generated=generated, train=train, test=rows(1) + 0.7)
    assert score.verdict.label == audit.verdict.label == "copying"
    assert "40 of 400 generated images are exact copies" in audit.verdict.sentence


def test_six_copies_of_an_underfitting_generator_are_not_cleared():
    """1,000 images at twice the spread, six of them training rows with 2 % noise."""
    for seed in range(3):
        train, test = rows(seed, 1_000, 32), rows(seed + 50, 1_000, 32)
        generated = 2 * rows(seed + 100, 1_000, 32)
        generated[:6] = train[:6] + 0.02 * rows(7, 6, 32)
        score, audit = both(generated=generated, train=train, test=test)
        for verdict in (score.verdict, audit.verdict):
            assert verdict.label in ("suspicious", "copying")


def test_new_frames_of_trained_bursts_accuse_nobody_and_groups_are_advised():
    rng = np.random.default_rng(3)
    scenes = rng.normal(size=(100, 1, 16))
    frames = (scenes + 0.1 * rng.normal(size=(100, 8, 16))).astype(np.float32)
    score, audit = both(
        generated=frames[:, :3].reshape(-1, 16), train=frames[:, 3:].reshape(-1, 16), test=rows(4)
    )
    for verdict in (score.verdict, audit.verdict):
        assert verdict.label == "no-yardstick"
        assert "--groups" in verdict.sentence


def test_a_blatant_copier_is_accused_though_a_few_training_images_repeat():
    train = rows(0, 1_000)
    train[:4] = train[4:8]
    score, audit = both(generated=with_copies(rows(2), train, 120), train=train, test=rows(1))
    assert score.verdict.label == audit.verdict.label == "copying"


def test_training_images_that_stand_for_held_out_ones_give_an_upper_bound():
    with genmem.audit(generated=rows(2), train=rows(0, 600)) as audit:
        assert audit.verdict.label == "no-sign"
        assert audit.yardstick is None
        assert "At most" in audit.verdict.sentence
    few = genmem.audit(generated=rows(2, 15), train=rows(0, 600))
    assert few.verdict.label == "open"


@pytest.mark.parametrize(
    ("images", "honest", "words"),
    [
        (250, 250, "7 perfect copies (2.8 %) can be told from none, and from 20 on they can be"),
        (250, 18, "none can be flagged one by one"),
        (1, 30, "it can be flagged one by one"),
        (100, 2_000, "it can be flagged one by one"),
    ],
)
def test_how_few_copies_could_be_found_is_said_from_the_numbers_alone(images, honest, words):
    assert words in announce_detectable(images=images, honest=honest, level=0.05)


def test_the_advice_of_the_announcement_is_enough():
    for images in (100, 250, 999):
        sentence = announce_detectable(images=images, honest=250, level=0.05)
        more = int(sentence.split("takes ")[1].split(" ")[0].replace(",", ""))
        batch = int(sentence.split("at most ")[1].split(" ")[0])
        assert fewest_flagged(images=images, honest=more, level=0.05) == 1
        assert fewest_flagged(images=batch, honest=250, level=0.05) == 1
        assert fewest_flagged(images=batch + 1, honest=250, level=0.05) > 1


def test_the_announcement_agrees_with_the_audit():
    sentences = []
    generated, train, test = rows(0, 250), rows(1, 300), rows(2, 250)
    audit = genmem.audit(generated=generated, train=train, test=test, announce=sentences.append)
    assert any("from 20 on they can be flagged" in sentence for sentence in sentences)
    assert audit.min_copies_flagged == 20


def test_repeats_inside_train_take_no_yardstick_away_and_clear_no_copier():
    train = rows(0, 1_000)
    train[-30:] = train[:30]
    sets = {"generated": with_copies(rows(2, 500), train, 20), "train": train, "test": rows(1, 500)}
    for verdict in (result.verdict for result in both(**sets)):
        assert verdict.label == "copying"
        assert any("training images are equal to another one" in one for one in verdict.reasons)
    for verdict in (result.verdict for result in both(**(sets | {"generated": rows(2, 500)}))):
        assert verdict.label == "no-sign"


def test_repeated_values_accuse_nobody_without_held_out_images():
    def draw(seed, count):
        rng = np.random.default_rng(seed)
        images, repeated = rows(seed, count), rng.random(count) < 0.25
        images[repeated] = rows(9, 100)[rng.integers(0, 100, repeated.sum())]
        return images

    generated, train = draw(0, 300), draw(1, 600)
    score = genmem.score(generated=generated, train=train, metrics=["memorization_ratio"])
    audit = genmem.audit(generated=generated, train=train)
    for verdict in (score.verdict, audit.verdict):
        assert verdict.label in ("open", "no-sign")
        assert "training images are equal to another one, about as often" in verdict.sentence
    with_hundred = draw(0, 300)
    with_hundred[:150] = train[:150]
    for verdict in (
        genmem.score(generated=with_hundred, train=train, metrics=["memorization_ratio"]).verdict,
        genmem.audit(generated=with_hundred, train=train).verdict,
    ):
        assert verdict.label == "copying"
        assert "None of" not in verdict.sentence


def test_one_image_again_and_again_is_suspicious_in_both():
    train = rows(0, 600)
    generated = train[0] + 0.01 * rows(5, 300)
    for result in both(generated=generated, train=train, test=rows(1)):
        assert result.verdict.label == "suspicious"
        assert "all match the same training image" in result.verdict.sentence
    for result in both(generated=np.repeat(train[:1], 300, axis=0), train=train, test=rows(1)):
        assert result.verdict.label == "copying"


def scenes(rng, count, frames=5):
    images = rng.normal(size=(count, 1, 16)) + 0.1 * rng.normal(size=(count, frames, 16))
    return images.reshape(-1, 16).astype(np.float32)


def test_a_split_by_scene_with_groups_is_a_yardstick_and_copies_in_it_are_found():
    rng = np.random.default_rng(0)
    sets = {"train": scenes(rng, 200), "test": scenes(rng, 200), "generated": scenes(rng, 100)}
    groups = {
        role: [f"{role} {row // 5}" for row in range(len(images))] for role, images in sets.items()
    }
    honest = genmem.audit(**sets, groups=groups)
    assert honest.yardstick.holds
    assert honest.verdict.label in ("no-sign", "open")
    sets["generated"][:50] = sets["train"][::20] + 0.001 * rows(3, 50)
    groups["generated"][:50] = [f"copy {row}" for row in range(50)]
    verdict = genmem.audit(**sets, groups=groups).verdict
    assert verdict.label == "copying"
    assert "groups of generated images" in verdict.sentence


def test_dropped_duplicates_do_not_reach_the_yardstick():
    train, test = rows(0, 600), rows(1)
    train[-60:] = train[:60] + 0.001 * rows(3, 60)
    sets = {"generated": rows(2), "train": train, "test": test}
    assert not genmem.audit(**sets).yardstick.holds
    test[:60] = train[60:120]
    dropped = genmem.audit(**sets, drop_duplicates=True)
    assert dropped.yardstick.holds
    assert dropped.yardstick.checks["series"].train == 540
    assert dropped.yardstick.checks["series"].test == 340


def test_without_held_out_images_near_copies_count_in_whichever_space_shows_them():
    """Ranked by a p-value, which is 1 in every space here, only the first would count."""
    images = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 3), dtype=np.uint8)
    generated = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    generated[:20] = images[:20] ^ 1
    blind = np.random.default_rng(2).normal(size=(1, 16))

    def noise(batch):
        seeds = np.asarray(batch).reshape(len(batch), -1).sum(axis=1).astype(int)
        return np.stack([blind[0] + np.random.default_rng(seed).normal(size=16) for seed in seeds])

    audit = genmem.audit(generated=generated, train=images, backbone=[noise, "pixels"])
    assert any("three times nearer" in reason for reason in audit.verdict.reasons)


def test_checks_of_several_spaces_keep_the_names_of_their_spaces():
    rng = np.random.default_rng(0)
    train, generated = rng.integers(0, 128, (2, 60, 8, 8, 3), dtype=np.uint8)
    test = rng.integers(100, 256, (60, 8, 8, 3), dtype=np.uint8)

    def means(batch):
        return np.asarray(batch, dtype=np.float32).reshape(len(batch), -1)[:, :16] + 1

    audit = genmem.audit(generated=generated, train=train, test=test, backbone=["pixels", means])
    yardstick = audit.yardstick
    assert {"two_sample in pixels@64", "two_sample in means"} <= set(yardstick.checks)
    assert "two_sample" not in yardstick.checks
    assert yardstick.failing.count("two_sample") == 1
    place = yardstick.failing.index("two_sample")
    assert yardstick.reasons[place].startswith("In pixels@64, held-out images are of another kind")
    assert audit.verdict.label == "no-yardstick"
