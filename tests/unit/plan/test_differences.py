"""What is not as wanted, field by field, of two of an engine's values."""

from typing import Any

import pytest

from swarmhub.plan.differences import Difference, differences, flat


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"A": 1}, {"A": 1}),
        ({"A": 1}, {"A": 1, "B": None, "C": "", "D": [], "E": {}, "F": 0, "G": False}),
        ({"A": None, "B": "", "C": [], "D": {}, "E": 0, "F": False}, {}),
        ({"A": {"B": {"C": "x"}}}, {"A": {"B": {"C": "x", "D": 0}}}),
        ({"A": [{"B": 1}]}, {"A": [{"B": 1, "C": None}]}),
        ({"A": ["x", "y"]}, {"A": ["x", "y"]}),
    ],
)
def test_an_empty_value_equals_an_absent_one(wanted: Any, found: Any) -> None:
    """What an engine fills in with nothing, or leaves out, is no difference at any depth."""
    assert differences(wanted, found) == ()


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"A": 1}, {"A": 2}, [Difference("A", 2, 1)]),
        ({"A": 1}, {}, [Difference("A", None, 1)]),
        ({}, {"A": 1}, [Difference("A", 1, None)]),
        ({"A": {"B": 1}}, {"A": {"B": 2}}, [Difference("A.B", 2, 1)]),
        ({"A": {"B": 1}}, {"A": None}, [Difference("A", None, {"B": 1})]),
        ({"A": True}, {"A": False}, [Difference("A", False, True)]),
        ({"A": "1"}, {"A": 1}, [Difference("A", 1, "1")]),
        ({"A": ["x", "y"]}, {"A": ["y", "x"]}, [Difference("A", ["y", "x"], ["x", "y"])]),
        ({"A": [{"B": 1}]}, {"A": [{"B": 2}]}, [Difference("A[0].B", 2, 1)]),
        ({"A": [{"B": 1}]}, {"A": []}, [Difference("A", [], [{"B": 1}])]),
        ({"A": 1, "B": 2}, {"A": 2, "B": 1, "C": 3}, [Difference("A", 2, 1), Difference("B", 1, 2), Difference("C", 3, None)]),
    ],
)
def test_each_field_that_differs_is_named(wanted: Any, found: Any, expected: list[Difference]) -> None:
    """A difference has the field's path in the engine's words, what is there, and what is wanted."""
    assert list(differences(wanted, found)) == expected


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({}, []),
        ({"A": 1, "B": {"C": "x"}}, [("A", 1), ("B.C", "x")]),
        ({"A": None, "B": "", "C": [], "D": {}, "E": 0, "F": False, "G": {"H": {}}}, []),
        ({"A": ["x", "y"]}, [("A", ["x", "y"])]),
        ({"A": [{"B": 1}, {"B": 2}]}, [("A[0].B", 1), ("A[1].B", 2)]),
        ({"A": [{"B": 1}, "x"]}, [("A", [{"B": 1}, "x"])]),
    ],
)
def test_what_is_about_to_be_made_is_shown_field_by_field(wanted: Any, fields: list[tuple[str, Any]]) -> None:
    """Each field is a difference from nothing, by the path that a later difference would have."""
    assert flat(wanted) == tuple(Difference(path, None, value) for path, value in fields)


@pytest.mark.parametrize(
    ("wanted", "shown", "is_it"),
    [
        ("n1", "known after network", True),
        (["A=1", "B=10.0.0.0/24"], ["A=1", "B=known after network"], True),
        (["A=1", "C=10.0.0.0/24"], ["A=1", "B=known after network"], False),
        ("n1", "n2", False),
    ],
)
def test_what_could_only_be_known_later_may_have_become_known(wanted: Any, shown: Any, is_it: bool) -> None:
    """Whole, or as a variable's value; nothing else may be another than was shown."""
    assert Difference("A", None, shown).became(Difference("A", None, wanted)) == is_it


@pytest.mark.parametrize(
    ("shown", "now", "is_it"),
    [
        (["known after x", "b"], ["b", "c"], True),
        (["known after x", "b"], ["c", "d"], False),
        (["a", "b"], ["b", "a"], False),
    ],
)
def test_a_word_that_becomes_known_may_sort_elsewhere(shown: list[str], now: list[str], is_it: bool) -> None:
    """What was known has to be as it was."""
    assert Difference("A", None, shown).became(Difference("A", None, now)) == is_it


def test_a_path_and_what_is_found_may_become_known_too() -> None:
    """A label is named by what it says; and what an earlier change has made is found by a later one."""
    shown = Difference("Labels.image.known after x", ["known after x"], "held")
    assert shown.became(Difference("Labels.image.abc", ["sha256:abc"], "held"))
    assert not shown.became(Difference("Labels.other.abc", ["sha256:abc"], "held"))
