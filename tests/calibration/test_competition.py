import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.calibration import (
    Board,
    agreement,
    analyze,
    calibrate,
    correlation,
    penalized_score,
    ranked_score,
    review,
    sweep,
)
from genmem.errors import InputError, UsageError
from genmem.metrics.mifid import mifid_from
from genmem.results import Result

entries = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["honest", "cheat", "blank"])),
    min_size=1,
    max_size=20,
)


@given(st.floats(0, 1), st.floats(0, 500), st.floats(0.01, 1))
def test_the_score_of_a_table_is_that_of_mifid(distance, fd, tau):
    one = penalized_score(fd=np.array([fd]), distance=np.array([distance]), tau=tau)
    results = [Result(name=name, value=value, n={}) for name, value in (("f", fd), ("d", distance))]
    assert one[0] == mifid_from(fd=results[0], distance=results[1], tau=tau).value


@given(entries, st.integers(1, 6), st.booleans())
def test_a_review_equals_a_simulation_of_the_reviewer(rows, top, blank_is_clean):
    scores = np.array([score for score, _ in rows], dtype=float)
    labels = np.array([label for _, label in rows])
    opened = clean = cheats = blanks = 0
    for label in labels[np.argsort(scores, kind="stable")]:
        if clean == top:
            break
        opened += 1
        cheats += label == "cheat"
        blanks += label == "blank"
        clean += label == "honest" or (label == "blank" and blank_is_clean)
    found = review(
        scores,
        cheating=labels == "cheat",
        blank=labels == "blank",
        top=top,
        blank_is_clean=blank_is_clean,
    )
    assert (found.opened, found.clean, found.cheats, found.not_reviewed, found.reached) == (
        opened,
        clean,
        cheats,
        blanks,
        clean == top,
    )


def test_a_review_of_a_board_without_cheats_opens_the_top_only():
    none = np.zeros(5, dtype=bool)
    assert review(np.arange(5.0), cheating=none, blank=none, top=3).opened == 3


def test_boards_that_rank_alike_agree_and_reversed_ones_do_not():
    scores = np.arange(10.0)
    how = {"boards": ("a", "b"), "by": "fd", "group": "all", "tops": (3, 50)}
    same = agreement(scores, 2 * scores, **how)
    assert (same.spearman, same.mean_rank_difference) == (pytest.approx(1), 0)
    assert same.overlap == {3: 3}
    turned = agreement(scores, -scores, **how)
    assert turned.spearman == pytest.approx(-1)
    assert turned.mean_rank_difference == 5
    assert turned.overlap == {3: 0}


def test_a_sweep_counts_what_lies_below_each_threshold():
    found = sweep(
        honest=np.array([0.2, 0.3]), cheating=np.array([0.1, 0.2]), taus=np.array([0.1, 0.2, 0.4])
    )
    assert found.caught.tolist() == [0, 1, 2]
    assert found.penalized.tolist() == [0, 0, 2]


def test_a_correlation_of_too_few_or_equal_entries_is_none():
    few = correlation(fd=np.array([1.0, 2]), distance=np.array([1.0, 2]), group="x")
    flat = correlation(fd=np.array([1.0, 2, 3]), distance=np.ones(3), group="x")
    assert math.isnan(few.pearson)
    assert math.isnan(flat.pearson)
    line = correlation(fd=np.arange(5.0), distance=np.arange(5.0), group="x")
    assert line.pearson == pytest.approx(1)


ROWS = (
    "1,10,10,10,10,0.3,0.5,non-mem",
    "2,12,14,12,14,0.32,0.52,non-mem",
    "3,5,999999,5,6,0.12,0.2,mgan",
    "4,6,999999,6,7,0.13,0.22,sup",
    "5,11,12,11,12,0.31,0.51,",
)


def test_blank_labels_and_disqualified_scores_are_not_numbers(write_table):
    found = analyze(write_table(*ROWS), top=2)
    assert found.counts == {"non-mem": 2, "mgan": 1, "sup": 1, "": 1}
    private = found.boards["private"]
    assert private.calibration.margins.honest == 2
    assert private.disqualified == 2
    assert private.reproduced == 3
    case = private.reviews[0]
    assert (case.blank_is_neither.opened, case.blank_is_clean.opened) == (5, 4)
    assert any("999999" in note for note in found.notes)
    assert found.to_dict()["labels"]["not reviewed"] == 1


def test_an_entry_disqualified_in_its_distance_is_left_out_and_counted(write_table):
    found = analyze(write_table(*ROWS, "6,1,1,1,1,999999,0.1,ae"), top=2)
    assert len(found.labels) == 5
    assert any("1 entries were left out" in note for note in found.notes)


def test_any_table_can_be_analysed_if_its_columns_are_named(write_table):
    path = write_table(
        "10,0.3,good", "12,0.4,good", "3,0.1,bad", "4,0.2,", header="fid,nearest,verdict"
    )
    from genmem.calibration import Labels

    found = analyze(
        path,
        boards={"final": Board(fd="fid", distance="nearest")},
        label="verdict",
        identifier=None,
        labels=Labels(honest=("good",), cheating=("bad",)),
        top=1,
    )
    assert found.boards["final"].calibration.tau == 0.3
    assert found.boards["final"].in_force is None
    assert found.agreements == ()


@pytest.mark.parametrize("kept", [ROWS[:2], ROWS[2:]])
def test_a_table_of_one_kind_of_entry_is_refused(write_table, kept):
    with pytest.raises(InputError, match=r"column labels: expected (honest|cheating) entries"):
        analyze(write_table(*kept))


def test_a_review_of_no_entries_is_refused(write_table):
    with pytest.raises(UsageError, match="top"):
        analyze(write_table(*ROWS), top=0)
    with pytest.raises(UsageError, match="board"):
        analyze(write_table(*ROWS), boards={})


REPLAYS = (
    "a,60,60,60,60,0.4,0.5,non-mem",
    "b,90,90,90,90,0.5,0.6,non-mem",
    "c,0.5,0.5,0.002,0.002,0.004,0.004,aug",
    "d,0,0,0,0,0,0,mgan",
    "e,2,2,4e-13,4e-13,2e-13,2e-13,mgan",
)


def test_a_replay_in_a_table_ranks_last_and_is_named(write_table):
    table = {column: [] for column in ("fd", "distance")}
    for row in REPLAYS:
        values = row.split(",")
        table["fd"].append(float(values[3]))
        table["distance"].append(float(values[5]))
    fd, distance = np.array(table["fd"]), np.array(table["distance"])
    assert np.argsort(penalized_score(fd=fd, distance=distance, tau=0.1))[0] == 3
    assert ranked_score(fd=fd, distance=distance, tau=0.1).tolist() == [0, 1, 2, 4, 3]
    assert ranked_score(fd=fd, distance=distance, tau=None).tolist() == [3, 4, 2, 0, 1]
    found = analyze(write_table(*REPLAYS), top=2)
    for board in found.boards.values():
        opened = {case.name: case.blank_is_neither.opened for case in board.reviews}
        assert (opened["no penalty"], opened["in force"]) == (5, 2)
        assert board.reproduced >= 3  # the published numbers are reproduced as they are
    replays = [note for note in found.notes if "replay of the training set" in note]
    assert len(replays) == 2
    assert replays[0].startswith("2 entries on the public board")
    assert "MiFID means nothing" in replays[0]


def test_a_replay_is_a_cheat_that_every_threshold_catches():
    found = calibrate(honest=np.array([0.4, 0.5]), cheating=np.array([0.0, 1e-16]), space="x")
    assert found.thresholds["false_penalty"].caught == 2
