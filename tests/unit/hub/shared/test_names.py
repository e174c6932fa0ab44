"""Names that Docker and file systems take."""

import pytest

from hub.shared.names import Names, of_docker


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


@pytest.mark.parametrize("escaped", [lambda text: Names(text).folder["username"], of_docker])
def test_no_two_names_become_one(escaped: object) -> None:
    """Nobody gets another's home by the choice of a name."""
    names = ["a-b", "a-2db", "a.b", "a%2Eb", "a_b", "a@b", "a%40b", ".a", "%2Ea", "ab"]
    assert len({escaped(name) for name in names}) == len(names)  # type: ignore[operator]


def test_a_server_and_a_profile_have_names_too() -> None:
    """They are escaped the same way."""
    assert Names("ada", "My Server", "Big").docker == {
        "username": "ada",
        "servername": of_docker("My Server"),
        "profile": of_docker("Big"),
    }
