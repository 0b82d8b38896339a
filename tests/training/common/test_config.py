from dataclasses import dataclass

import pytest

from genmem.errors import UsageError
from genmem.training.common.config import check_kinds


@dataclass(frozen=True)
class Some:
    """Settings of every kind."""

    number: int = 1
    share: float = 0.5
    names: tuple[str, ...] = ()
    perhaps: int | None = None

    def __post_init__(self):
        check_kinds(self)


def test_a_whole_number_for_a_float_becomes_one_and_equal_settings_are_equal():
    assert repr(Some(share=1)) == repr(Some(share=1.0))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"number": 1.5}, "number: expected a whole number"),
        ({"number": True}, "number: expected a whole number"),
        ({"share": float("nan")}, "share: expected a finite number"),
        ({"share": 10**400}, "share: expected a finite number"),
        ({"names": ["a"]}, "names: expected a list of texts"),
        ({"perhaps": "x"}, "perhaps: expected a whole number or none"),
    ],
)
def test_what_is_of_another_kind_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Some(**given)
