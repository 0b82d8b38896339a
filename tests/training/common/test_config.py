from typing import Literal

import pytest
from pydantic import Field

from genmem.errors import InputError, UsageError
from genmem.training.common.config import Config, Names, Numbers, Seed, read_config


class Example(Config):
    """A configuration with fields of every kind."""

    number: int = Field(1, ge=1)
    share: float = Field(0.5, lt=1)
    names: Names = ()
    sides: Numbers = ()
    perhaps: int | None = None
    text: str | None = None
    kind: Literal["a", "b"] = "a"
    seed: Seed = 0


def test_a_whole_number_for_a_float_becomes_one_and_equal_configurations_are_equal():
    assert repr(Example(share=0)) == repr(Example(share=0.0))
    assert Example(share=0) == Example(share=0.0)


def test_a_list_stands_for_a_tuple_and_json_comes_back():
    example = Example(names=["a", "b"], sides=[8, 4])
    assert (example.names, example.sides) == (("a", "b"), (8, 4))
    assert Example(**example.to_dict()) == example


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"number": 1.5}, "number: expected a whole number, got 1.5"),
        ({"number": True}, "number: expected a whole number, got True"),
        ({"number": 0}, "number: expected at least 1, got 0"),
        ({"number": 2**63}, "number: expected at most 1,099,511,627,776, got 9,223,372,036,854,7"),
        ({"sides": [2**63]}, "sides: expected at most 1,099,511,627,776"),
        ({"share": float("nan")}, "share: expected a finite number, got nan"),
        ({"share": 10**400}, "share: expected a finite number"),
        ({"share": 1}, "share: expected a number below 1"),
        ({"names": "a"}, "names: expected a list, got 'a'"),
        ({"names": [1]}, r"names\.0: expected text, got 1"),
        ({"perhaps": "x"}, "perhaps: expected a whole number, got 'x'"),
        ({"text": ""}, "text: expected text that is not empty, got ''"),
        ({"names": ["a", ""]}, r"names\.1: expected text that is not empty"),
        ({"kind": "c"}, "kind: expected one of a, b, got 'c'"),
        ({"seed": 2**70}, "seed: expected at most 4,294,967,295"),
        ({"numbr": 1}, "there is no setting 'numbr'; did you mean number?"),
    ],
)
def test_what_a_field_cannot_hold_is_refused_in_one_line(given, words):
    with pytest.raises(UsageError, match=words) as caught:
        Example(**given)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=words):
        Example().replace(**given)


@pytest.mark.parametrize(("content", "words"), [("[1]", "an object"), ("[" * 10**5, "not JSON")])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, words):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=words):
        read_config(tmp_path / "config.json")
