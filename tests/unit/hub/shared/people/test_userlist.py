"""The userlist: who may log in, and the lines that cannot be meant."""

import pytest

from hub.shared.people.userlist import Users, parse, render


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


NAMES = ["ada@example.org", "ada.lovelace", "Ada_L+1", "a", "o'neil", "müller", "伊藤", "_svc", "-x", "x" * 255, "a;b", "$(id)"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_other_providers_call_people_otherwise(name: str) -> None:
    """Whatever JupyterHub takes is taken, in any script; it tells no upper from lower case."""
    assert parse(f"{name} admin", "google") == (Users(frozenset({name.lower()}), frozenset({name.lower()})), ())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('"Ada Lovelace" admin', "ada lovelace"),
        ('  "Miles O\'Brien"\tadmin # chief', "miles o'brien"),
        ('"Ada ""the first"" L." admin', 'ada "the first" l.'),
        ('"#1 fan" admin', "#1 fan"),
        ('"ada" admin', "ada"),
        ("Mu\u0308ller admin", "m\u00fcller"),
    ],
    ids=["a space", "an apostrophe", "quotation marks", "a hash", "needless", "a letter of two parts"],
)
def test_a_name_may_be_quoted(line: str, name: str) -> None:
    """Then it may have spaces and hashes; a letter that an editor writes in two parts is the provider's single one."""
    users = Users(frozenset({name}), frozenset({name}))
    assert parse(line, "generic-oauth") == (users, ())
    assert parse(render(users), "generic-oauth") == (users, ())


@pytest.mark.parametrize(
    "name", ["a/b", "..", "x" * 256, '"a\tb"', '" ada"', "ada\r", "ada\u00a0l", '""'], ids=["/", "..", "long", *"tréne"]
)
def test_what_jupyterhub_does_not_take_is_told(name: str) -> None:
    """Before it ends at its start, or nobody can log in by that name."""
    (mistake,) = parse(f"ada admin\n{name}", "google")[1]
    assert mistake.wrong == (
        f"{name.strip(chr(34))!r} is no user name of JupyterHub: no slash, not only dots, no space at an end, "
        "nothing invisible, at most 255"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Ada Lovelace admin", 'A name with spaces is quoted: "Ada Lovelace" admin. For shorter names, such as logins or mail'),
        ('"Ada Lovelace admin', 'a quotation mark is not closed; a name with spaces is written "Ada Lovelace"'),
        ('"Ada"Lovelace', "a quotation mark is not closed"),
        ("Smoke--1", "begins as the users of the smoke test do"),
        ("\u201cAda\u201d", "has typographic quotation marks; write them straight"),
    ],
)
def test_a_name_that_should_be_quoted_is_told_how(line: str, told: str) -> None:
    """And that the provider may have a better one, by username_claim."""
    (mistake,) = parse(f"boss admin\n{line}\n", "generic-oauth")[1]
    assert (mistake.line, told in mistake.wrong) == (2, True)


def test_what_is_rendered_is_read_again() -> None:
    """A list that was written by a program is the list that it was made of."""
    users = Users(frozenset({"ada", "grace"}), frozenset({"ada"}))
    assert parse(render(users)) == (users, ())
