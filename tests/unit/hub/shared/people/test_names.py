"""Names that Docker and file systems take."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from escapism import escape

from hub.shared.people.names import LETTERS, Names, of_docker
from hub.spawner.homes import make_folder


@pytest.mark.parametrize(
    ("user", "folder", "volume"),
    [
        ("ada", "ada", "ada"),
        ("ada-lovelace", "ada-lovelace", "ada-2dlovelace"),
        ("a.b@c.org", "a.b%40c.org", "a-2eb-40c-2eorg"),
        ("../etc", "%2E.%2Fetc", "-2e-2e-2fetc"),
        ("..", "%2E.", "-2e-2e"),
        (".ssh", "%2Essh", "-2essh"),
        ("a%2Fb", "a%252Fb", "a-252-46b"),
    ],
)
def test_a_name_leads_nowhere_else(user: str, folder: str, volume: str) -> None:
    """In a path it stays as it is, as far as that is harmless; in a volume's name it is escaped as dockerspawner does."""
    names = Names(user)
    assert (names.folder["username"], names.docker["username"]) == (folder, volume)


@pytest.mark.parametrize("user", ["miles o'brien", "伊藤", "größe_1", "a-b.c", "{{.Node}}", "A"])
def test_a_name_is_escaped_as_dockerspawner_does(user: str) -> None:
    """Homes of a hub that was made by hand keep their names."""
    assert of_docker(user) == escape(user, safe=LETTERS, escape_char="-").lower()


@pytest.mark.parametrize("escaped", [lambda text: Names(text).folder["username"], of_docker])
def test_no_two_names_become_one(escaped: object) -> None:
    """Nobody gets another's home by the choice of a name."""
    names = ["a-b", "a-2db", "a.b", "a%2Eb", "a_b", "a@b", "a%40b", ".a", "%2Ea", "ab"]
    assert len({escaped(name) for name in names}) == len(names)  # type: ignore[operator]


@pytest.mark.parametrize("letter", ["a", ".", "Д", "伊", "🙂"])
def test_a_long_name_has_a_folder_that_file_systems_take(letter: str, tmp_path: Path) -> None:
    """JupyterHub takes 255 letters; an escaped one is up to twelve long, and no name is another's folder."""
    names = [letter * size for size in (20, 21, 42, 43, 254, 255)]
    folders = [Names(name).path("home-{username}") for name in names]
    for folder in folders:
        make_folder(folder, f"{os.getuid()}:{os.getgid()}", tmp_path)
    assert len(set(folders)) == len(names) == len([*tmp_path.iterdir()])
    # Who takes a long name's folder for a name gets another one.
    assert Names(folders[-1].removeprefix("home-")).path("home-{username}") not in folders


def test_a_server_and_a_profile_have_names_too() -> None:
    """They are escaped the same way."""
    assert Names("ada", "My Server", "Big").docker == {
        "username": "ada",
        "servername": of_docker("My Server"),
        "profile": of_docker("Big"),
    }


# Letters that meet in what is escaped, and in what separates.
HOSTILE = ["a", "b", "2", "e", "d", "5", "f", "-", "_", ".", "%", "A", "é", "2d", "2e", "-2d", "5f", "%2E", "%5F"]
SEPARATED = [
    "{username}_{servername}",
    "{username}.{servername}",
    "{username}_{servername}.{profile}",
    "x{username}__{profile}",
]
DASHED = ["{username}-{servername}", "h-{username}--{servername}", "{username}-{servername}-{profile}", "{username}-a{profile}"]


def people(seed: int, many: int) -> set[Names]:
    """Return people with short random names, so that many are nearly the same."""
    chance = random.Random(seed)

    def name(least: int) -> str:
        return "".join(chance.choices(HOSTILE, k=chance.randint(least, 3)))

    return {Names(name(1), name(0), name(0)) for _ in range(many)}


def told_apart(template: str, one: Names) -> tuple[str, ...]:
    """Return what a template tells of somebody."""
    values = {"{username}": one.user, "{servername}": one.server, "{profile}": one.profile}
    return tuple(value for part, value in values.items() if part in template)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("template", "fill"),
    [
        *((template, Names.volume) for template in ["{username}", *SEPARATED, *DASHED]),
        *((template, Names.path) for template in ["{username}", *SEPARATED]),
    ],
)
def test_no_two_share_what_a_template_tells_apart(template: str, fill: Callable[[Names, str], str], seed: int) -> None:
    """Whatever users, servers and profiles are called: 3,000 of them at a time, made of what could meet."""
    named: dict[str, tuple[str, ...]] = {}
    for one in people(seed, 3000):
        assert named.setdefault(fill(one, template), told_apart(template, one)) == told_apart(template, one)


def test_a_name_that_could_be_anothers_ends_in_a_hash() -> None:
    """All others stay as they are, so that what exists is found."""
    template = "{username}-{servername}"
    assert Names("ada-l", "lab").volume(template) == "ada-2dl-lab"
    assert Names("ada").volume(template) == "ada-"
    first, second = Names("a", "2e.").volume(template), Names("a.", "2e").volume(template)
    assert {first[:9], second[:9]} == {"a-2e-2e_"[:9] + first[8:9], "a-2e-2e_"[:9] + second[8:9]}
    assert first != second


def test_what_separates_the_parts_of_a_folders_name_is_in_none_of_them() -> None:
    """Elsewhere a name stays as it is."""
    assert Names("a_b", "c.d").path("{username}_{servername}") == "a%5Fb_c.d"
    assert Names("a_b", "c.d").path("x_{username}") == "x_a_b"


def test_the_longest_names_are_filled_in_at_once() -> None:
    """255 letters each, as JupyterHub takes them: every start of a server does this in the hub and in the filter."""
    longest = Names("-" * 255, "-" * 255, "-" * 255)
    begun = time.process_time()
    longest.volume("{username}-{servername}-{profile}")
    assert time.process_time() - begun < 1
