"""As which user and groups a server runs, where people's files have their own UID and GID."""

from typing import Any

import pytest

from hub.shared.people.owners import Owner, Unknown, claimed, listed

LIST: dict[str, Any] = {"users": {"ada": [20001, 20100, [20300]]}, "claims": {}, "range": [1000, 59999]}


def by_claims(**claims: str) -> dict[str, Any]:
    """Return the table of a hub that goes by claims."""
    return {"users": {}, "claims": {"uid": "uidNumber", **claims}, "range": [1000, 59999]}


def test_a_listed_user_has_the_numbers_of_the_list() -> None:
    """As docker-py takes them."""
    owner = listed(LIST, "ada")
    assert (str(owner), owner.container) == ("20001:20100", {"user": "20001:20100", "groups": ["20300"]})
    assert Owner(20001, 20100).container == {"user": "20001:20100"}


def test_who_is_not_listed_has_none() -> None:
    """Not the image's user: that number may be somebody else's on the file server."""
    with pytest.raises(Unknown, match=r"no line for grace with a UID of 1000 to 59999"):
        listed(LIST, "grace")


@pytest.mark.parametrize("said", [20001, "20001", ["20001"], [20001]])
def test_a_claim_is_read_as_providers_write_it(said: Any) -> None:
    """Keycloak's attributes are lists of texts; the GID is that of new folders, where no claim has it."""
    assert claimed(by_claims(), {"uidNumber": said}, 100) == Owner(20001, 100)


def test_claims_may_be_in_a_table_and_name_groups() -> None:
    """By a path; a name with a dot in it is found as it is; a group is named once."""
    about = {"attributes": {"uid": "20001"}, "x.gid": 20100, "gids": [20100, 20300, 20300]}
    table = by_claims(uid="attributes.uid", gid="x.gid", gids="gids")
    assert claimed(table, about, 100) == Owner(20001, 20100, (20300,))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "names no number in the claim uidNumber"),
        ([], "names no number in the claim uidNumber"),
        ([20001, 20002], "names no number in the claim uidNumber"),
        (0, "says '0' in the claim uidNumber"),
        ("0", "says '0' in the claim uidNumber"),
        (999, "says '999'"),
        (60000, "says '60000'"),
        ("-1", "says '-1'"),
        ("2e4", "says '2e4'"),
        ("\u0662\u0660\u0660\u0660\u0661", "says"),
        (20001.0, r"says '20001\.0'"),
        (True, "says 'True'"),
        ({"uid": 20001}, "says"),
    ],
)
def test_a_claim_that_is_no_number_of_the_range_is_none(said: Any, why: str) -> None:
    """Root's least of all."""
    with pytest.raises(Unknown, match=why):
        claimed(by_claims(), {"uidNumber": said}, 100)


@pytest.mark.parametrize("claims", [{"gid": "gid"}, {"gids": "gid"}])
def test_a_group_outside_the_range_is_none(claims: dict[str, str]) -> None:
    """As a first group or as one more."""
    with pytest.raises(Unknown, match="says '0' in the claim gid"):
        claimed(by_claims(**claims), {"uidNumber": 20001, "gid": 0}, 100)


def test_a_group_that_is_not_said_is_none() -> None:
    """Where a claim has it, the default counts for nobody."""
    with pytest.raises(Unknown, match="no number in the claim gid"):
        claimed(by_claims(gid="gid"), {"uidNumber": 20001}, 100)
