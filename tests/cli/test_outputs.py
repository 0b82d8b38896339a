import json
import os

import pytest

from genmem.cli.app import run
from genmem.cli.outputs import check_outputs, write_json
from genmem.errors import UsageError


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_an_output_that_cannot_be_written_is_refused_before_any_image_is_read(
    option, tmp_path, capsys
):
    output = tmp_path / "none" / "out.html"
    code = run(["score", "nowhere.zip", "--train", "nowhere.zip", option, str(output)])
    assert code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_report_that_is_not_an_html_file_is_refused(capsys):
    assert run(["score", "a.zip", "--train", "b.zip", "--report", "-"]) == 2
    assert "ending in .html" in capsys.readouterr().err


def test_two_outputs_in_one_file_are_refused(tmp_path):
    output = str(tmp_path / "out")
    with pytest.raises(UsageError, match="--json and --report both name"):
        check_outputs({"--json": output, "--report": output}, inputs={})


def test_an_output_that_would_replace_an_input_is_refused(tmp_path):
    source = tmp_path / "features.npy"
    source.touch()
    with pytest.raises(UsageError, match="would replace --train"):
        check_outputs({"--json": str(source)}, inputs={"--train": str(source), "--test": None})


def test_an_output_inside_a_folder_of_input_images_is_refused(tmp_path):
    with pytest.raises(UsageError, match="take it for an image"):
        check_outputs({"--json": str(tmp_path / "o.json")}, inputs={"GENERATED": str(tmp_path)})


def test_missing_outputs_and_stdout_need_no_check(tmp_path):
    check_outputs({"--json": "-", "--report": None}, inputs={"GENERATED": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_json_goes_to_a_file_or_to_stdout(tmp_path, capsys):
    document = {"metrics": {"fd": {"value": 1.5}}, "source": os.fsdecode(b"\xe9.png")}
    write_json(document, str(tmp_path / "out.json"))
    write_json(document, "-")
    written = (tmp_path / "out.json").read_text()
    assert written == capsys.readouterr().out
    assert json.loads(written) == document


def test_invalid_json_leaves_no_file(tmp_path):
    with pytest.raises(ValueError):
        write_json({"value": float("nan")}, str(tmp_path / "out.json"))
    assert list(tmp_path.iterdir()) == []
