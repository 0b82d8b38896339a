import json

import numpy as np
import pytest

from studies.fuzz import cases
from studies.fuzz.worker import judge

REFUSAL = "genmem: a.png: cannot be decoded.\n"


def _bytes_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_case_can_be_made_again_from_its_seed_and_number(tmp_path):
    for number in range(2 * len(cases.KINDS)):
        folders = [tmp_path / f"{number}-{repeat}" for repeat in range(2)]
        for folder in folders:
            folder.mkdir()
        first, second = (cases.build(7, number, folder) for folder in folders)
        assert [part.replace(str(folders[1]), str(folders[0])) for part in second] == first
        if cases.kind_of(number) != "competitions":  # whose file names its folder
            assert _bytes_of(folders[0]) == _bytes_of(folders[1])


def test_a_refusal_in_one_line_is_no_failure(tmp_path):
    assert judge(["score"], tmp_path, 2, "", REFUSAL) is None


@pytest.mark.parametrize(
    ("code", "errors", "fault"),
    [
        (1, REFUSAL, "exit code 1"),
        (2, "", "without a message"),
        (2, "Traceback (most recent call last):\ngenmem: x\n", "Traceback"),
        (2, "genmem: got <class 'int'>\n", "<class"),
    ],
)
def test_other_endings_are_failures(tmp_path, code, errors, fault):
    assert fault in str(judge(["score"], tmp_path, code, "", errors))


def test_a_file_left_by_a_refused_command_is_a_failure_unless_it_can_be_resumed(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros(3))
    assert "left f.npy" in str(judge(["features"], tmp_path, 2, "", REFUSAL))
    assert judge(["train", "gan"], tmp_path, 2, "", REFUSAL) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.json", json.dumps({"fd": float("nan")}).encode()),
        ("f.npy", b"\x93NUMPY"),
        ("c.zip", b"PK"),
        ("r.html", b"<html>"),
    ],
)
def test_a_half_written_file_is_a_failure(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert f"wrote {name}, which is damaged" in str(judge(["score"], tmp_path, 0, "", ""))
