"""As which user a server may run: just as its user's own numbers, and nobody's where the settings name none."""

from typing import Any

import pytest

from hub.filter import bodies, policy
from hub.filter.fields import Refused
from tests.unit.hub.asked import tables
from tests.unit.hub.filter import sent
from tests.unit.hub.filter.engines import allowed

LIST = {"users": {"ada": [20001, 20100, [20300]], "grace": [20002, 20100, []]}, "claims": {}, "range": [1000, 59999]}
CLAIMS = {"users": {}, "claims": {"uid": "uidNumber"}, "range": [1000, 59999]}
GROUPS = ["20300"]


def judged(owners: dict[str, Any], user: Any, groups: Any = None) -> str:
    """Return why a server of ada's that runs as somebody is refused, or nothing."""
    body = sent.service()
    container = body["TaskTemplate"]["ContainerSpec"]
    container |= ({} if user is None else {"User": user}) | ({} if groups is None else {"Groups": groups})
    (rules,) = policy.load(policy.document(policy.of(_tables(owners), "jupyterhub", "jupyter")))
    try:
        made = bodies.service(rules, body)
    except Refused as error:
        return str(error)
    assert made["TaskTemplate"]["ContainerSpec"] == container
    return ""


def _tables(owners: dict[str, Any]) -> dict[str, Any]:
    return {**tables(**sent.SETTINGS), "owners": owners}


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        (None, None),
        ("20001:20100", None),
        ("20001:20100", []),
        ("20001:20100", ["20300", "0"]),
        ("20001:20100", "20300"),
        ("20001:20100", [20300]),
        ("20001", GROUPS),
        ("20001:0", GROUPS),
        ("020001:20100", GROUPS),
        ("20002:20100", GROUPS),
        ("20002:20100", None),
        ("0:0", GROUPS),
        ("root", GROUPS),
        (["20001:20100"], GROUPS),
        ("{{.Node.ID}}:20100", GROUPS),
    ],
)
def test_a_listed_user_runs_as_nobody_else(user: Any, groups: Any) -> None:
    """Nor with fewer or more groups, nor written otherwise."""
    assert "TaskTemplate.ContainerSpec" in judged(LIST, user, groups)


def test_a_listed_user_runs_as_the_list_says() -> None:
    """With all the groups."""
    assert judged(LIST, "20001:20100", GROUPS) == ""


def test_who_is_not_listed_has_no_server() -> None:
    """Whatever the hub says."""
    assert "no line for ada" in judged({**LIST, "users": {}}, "20002:20100")


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        (None, None),
        ("0:100", None),
        ("1000:0", None),
        ("1000:101", None),
        ("100:100", None),
        ("999:100", None),
        ("60000:100", None),
        ("1000", None),
        ("1000:", None),
        (":1000", None),
        ("1000:100:100", None),
        ("01000:100", None),
        ("1000:100", ["0"]),
        ("1000:100", ["100"]),
        ("1000:100", "0"),
        ("1000:100", ["2000\n"]),
        ("1000:100\n", None),
        ("+1000:100", None),
        ("\u0661000:100", None),
        ("4294967296:100", None),
        ("jovyan:users", None),
        (1000, None),
    ],
)
def test_of_a_claim_only_the_range_is_taken(user: Any, groups: Any) -> None:
    """Never root, and never a name, which the image would turn into any number."""
    assert "TaskTemplate.ContainerSpec" in judged(CLAIMS, user, groups)


@pytest.mark.parametrize(("user", "groups"), [("1000:100", None), ("59999:1000", ["2000", "3000"])])
def test_of_a_claim_the_range_is_taken(user: str, groups: Any) -> None:
    """And the group of new folders, which is the default."""
    assert judged(CLAIMS, user, groups) == ""


@pytest.mark.parametrize("user", ["20001:20100", "1000:100", "0", ""])
def test_without_owners_nobody_is_named(user: str) -> None:
    """The image says it."""
    assert "'TaskTemplate.ContainerSpec.User' is not allowed" in judged({}, user)


def test_a_policy_of_an_earlier_release_names_nobody() -> None:
    """It has no such key."""
    assert allowed().owners == {}
