"""The lines of keys in a TOML text."""

import textwrap

import pytest

from swarmhub.settings.lines import Key, line_of, positions

TEXT = textwrap.dedent("""\
    top = 1
    # a comment
    [hosts]
    managers = [   # the hub's
        "a",
        # "old",
        "b",
    ]
    workers = ["c", "d"]

    [hub]
    domain = "x"
    "quoted key" = 1
    dotted.key.deep = 2

    [network.options]
    mtu = "1400"

    [[list]]
    name = "one"
    [[list]]
    name = "two"
    inline = { a = 1, b = [1, 2] }
    """)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 1),
        (("hosts",), 3),
        (("hosts", "managers"), 4),
        (("hosts", "managers", 0), 5),
        (("hosts", "managers", 1), 7),
        (("hosts", "workers", 1), 9),
        (("hub", "domain"), 12),
        (("hub", "quoted key"), 13),
        (("hub", "dotted", "key", "deep"), 14),
        (("hub", "dotted"), 14),
        (("network", "options", "mtu"), 17),
        (("network",), 16),
        (("list", 0, "name"), 20),
        (("list", 1), 21),
        (("list", 1, "inline", "a"), 23),
        (("list", 1, "inline", "b", 1), 23),
    ],
)
def test_a_key_has_the_line_on_which_it_stands(key: Key, line: int) -> None:
    """Tables, keys however they are written, and elements of arrays are found, whatever comments are between."""
    assert line_of(key, positions(TEXT)) == line


@pytest.mark.parametrize(
    ("key", "line"),
    [(("hub", "missing"), 11), (("hub", "domain", "deeper"), 12), (("hosts", "managers", 9), 4), (("nothing",), 1)],
)
def test_a_key_that_is_not_there_has_the_line_of_the_table_around_it(key: Key, line: int) -> None:
    """What is missing is reported where it would stand: at the nearest table, or at the top."""
    assert line_of(key, positions(TEXT)) == line


def test_a_table_that_is_continued_keeps_its_first_line() -> None:
    """A table whose subtable comes first has the line on which it was first named."""
    assert line_of(("a",), positions("[a.b]\nx = 1\n[a]\ny = 2\n")) == 1


def test_lines_are_counted_in_texts_that_are_not_ascii() -> None:
    """Letters of several bytes do not shift the lines or the keys."""
    assert line_of(("b",), positions('a = "äöü€😀"\nb = 1\n')) == 2
