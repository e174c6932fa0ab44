"""The userlist: who may log in, and the lines that cannot be meant."""

import pytest

from hub.shared.userlist import Users, parse, render


def mistakes(text: str) -> list[tuple[int, str]]:
    """Return the mistakes as lines and words."""
    return [(mistake.line, mistake.wrong) for mistake in parse(text)[1]]


@pytest.mark.parametrize(
    "text",
    [
        "ada admin\ngrace\n",
        "ada admin\ngrace",
        "\n\nada admin\n\ngrace\n\n",
        "# who may log in\nada admin # since 2026\n  # a comment\ngrace#also\n",
        "  ada\tadmin  \n\tgrace \n",
        "Ada admin\nGRACE\n",
        "grace\nada admin\n",
    ],
    ids=["lines", "no last line end", "blank lines", "comments", "blanks and tabs", "upper case", "another order"],
)
def test_names_are_read_a_line_each(text: str) -> None:
    """Names are in lower case, as GitHub compares them; comments, blank lines and blanks mean nothing."""
    assert parse(text) == (Users(frozenset({"ada", "grace"}), frozenset({"ada"})), ())


@pytest.mark.parametrize(
    "name", ["a", "7", "ada-lovelace", "a1-b2-c3", "a" * 39, "ada_corp", "ada-lovelace_corp", "A-B"], ids=lambda name: name[:20]
)
def test_what_github_takes_is_a_name(name: str) -> None:
    """GitHub's own names, and those of enterprise managed users with their short code, are taken."""
    assert parse(f"{name} admin") == (Users(frozenset({name.lower()}), frozenset({name.lower()})), ())


@pytest.mark.parametrize(
    "name",
    [
        "-ada",
        "ada-",
        "ada--lovelace",
        "a" * 40,
        "ada.lovelace",
        "ada@example.org",
        "ädä",
        "ſam",
        "\u212aate",
        "ada_",
        "_corp",
        "a_b_c",
        "*",
        "$(id)",
        "`id`",
        "ada;id",
        "../ada",
        "ada/..",
        "ada,grace",
        "ada:",
        '"ada"',
        "\ufeffada",
        "ada\u00a0b",
        "ada\x00",
        # A line end of Windows would be part of the name, and end JupyterHub at its start.
        "bob\r",
    ],
    ids=ascii,
)
def test_what_github_does_not_take_is_no_name(name: str) -> None:
    """Anything else is told with its line, and with what a name is made of."""
    assert mistakes(f"boss admin\n{name}\n") == [
        (2, f"{name!r} is no GitHub user name: letters, digits and single hyphens between them, at most 39")
    ]


@pytest.mark.parametrize("line", ["grace hopper", "grace admin yes", "grace Admin", "grace administrator", "grace admin\r"])
def test_a_line_is_a_name_or_a_name_and_admin(line: str) -> None:
    """Three words, or a second one that is not "admin", are not passed over."""
    assert mistakes(f"ada admin\n{line}\n") == [(2, f"{line!r}: a line is a name, or a name and 'admin'")]


@pytest.mark.parametrize("again", ["grace", "GRACE", "Grace admin"])
def test_a_name_stands_there_once(again: str) -> None:
    """A name that is there already, in whatever case, is told with the line on which it was."""
    assert mistakes(f"ada admin\ngrace\n\n{again}\n") == [
        (4, f"{again.split()[0]!r} is on line 2 already; GitHub tells no upper from lower case; keep one")
    ]


@pytest.mark.parametrize("text", ["", "\n# nobody yet\n", "ada\ngrace\n", "# ada admin\n", "ada #admin\n"])
def test_somebody_has_to_be_the_admin(text: str) -> None:
    """Without an admin nobody could let others in: a list without one is refused."""
    assert mistakes(text) == [(1, "names no admin; add 'admin' behind at least one name: NAME admin")]


def test_every_mistake_is_told() -> None:
    """All lines that are wrong are told, in their order."""
    assert [line for line, _ in mistakes("ada admin\na b c\nok\n-x\nADA\n")] == [2, 4, 5]


@pytest.mark.parametrize("name", ["ada@example.org", "ada.lovelace", "Ada_L+1", "a"])
def test_other_providers_call_people_otherwise(name: str) -> None:
    """Mail addresses and names with dots are taken; JupyterHub tells no upper from lower case."""
    assert parse(f"{name} admin", "google") == (Users(frozenset({name.lower()}), frozenset({name.lower()})), ())


@pytest.mark.parametrize("name", ["@ada", "ada/..", "$(id)", "a" * 64, "ädä"])
def test_what_no_provider_takes_is_told(name: str) -> None:
    """What would lead out of a path or into a shell is a mistake there, too."""
    (mistake,) = parse(f"{name} admin", "google")[1]
    assert mistake.wrong == f"{name!r} is no user name: letters, digits and any of _.@+- behind the first, at most 63"


def test_what_is_rendered_is_read_again() -> None:
    """A list that was written by a program is the list that it was made of."""
    users = Users(frozenset({"ada", "grace"}), frozenset({"ada"}))
    assert parse(render(users)) == (users, ())
