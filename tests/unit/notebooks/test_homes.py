"""Whose homes are where, and how the swarm comes to know it again when it has forgotten."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.shared.people.names import of_docker
from swarmhub.engine.swarm import configs
from swarmhub.notebooks import homes
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, home_volume

LABELS = {homes.LABEL: "jupyterhub", homes.USER: "ada"}
EARLY, LATE = datetime(2026, 11, 2, 8, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)
ADA = HomeVolume("jupyterhub-home-ada", "ada", EARLY)
GRACE = HomeVolume("jupyterhub-home-grace", "grace", EARLY)
HOSTS = {"n2": WORKER1, "n3": WORKER2}


def at(node: str) -> tuple[HomeRecord, ...]:
    """Return the record that Ada's home is on a node."""
    return (HomeRecord("c1", ADA.name, "ada", node),)


def test_the_swarm_knows_on_which_node_a_home_is() -> None:
    """By the record that the hub has made when it was placed the first time; another hub's are not asked for."""
    manager = FakeHost()
    configs.create(manager, "jupyterhub-home-ada", LABELS | {homes.NODE: "n2"}, {})
    configs.create(manager, "other-home-ada", LABELS | {homes.LABEL: "other"}, {})
    assert homes.places(manager, "jupyterhub") == (HomeRecord("c1", "jupyterhub-home-ada", "ada", "n2"),)


@pytest.mark.parametrize("listed", [None, [home_volume("ada")]])
def test_a_node_knows_which_homes_it_has(listed: list[object] | None) -> None:
    """By the label of their volumes."""
    host = FakeHost(WORKER1, {"GET /volumes": {"Volumes": listed}})
    assert homes.volumes(host, "jupyterhub", "{username}") == ((ADA,) if listed else ())
    assert host.engine.requests[0].params == {"filters": {"label": ["swarmhub.home=jupyterhub"]}}


@pytest.mark.parametrize("elsewhere", [{"Driver": "rexray"}, {"Options": {"type": "nfs", "device": ":/homes"}}])
def test_what_is_only_mounted_on_a_node_is_no_home_of_it(elsewhere: dict[str, Any]) -> None:
    """Another node may mount the same files."""
    host = FakeHost(WORKER1, {"GET /volumes": {"Volumes": [home_volume("ada") | elsewhere]}})
    assert homes.volumes(host, "jupyterhub", "{username}") == ()


WHOLE = "jupyterhub-user-{username}"
NAMES = ["ada", "a.b", "user@example.org", "Ada", "a-b_c", "josé"]


def by_hand(user: str, made: datetime = EARLY) -> HomeVolume:
    """Return a home that somebody else has made."""
    return HomeVolume(WHOLE.format(username=of_docker(user)), user, made, by_hand=True)


@pytest.mark.parametrize("user", NAMES)
def test_a_volume_that_somebody_else_has_made_is_known_by_its_name(user: str) -> None:
    """The user is read from it; the label of another hub's home goes before the name."""
    others = home_volume("x", name="jupyterhub-user-x") | {"Labels": {homes.LABEL: "other", homes.USER: "x"}}
    plain = home_volume(user, name=by_hand(user).name) | {"Labels": None}
    host = FakeHost(WORKER1, {"GET /volumes": {"Volumes": [plain, others, {**plain, "Name": "jupyterhub-data"}]}})
    assert homes.volumes(host, "jupyterhub", WHOLE) == (by_hand(user),)


@pytest.mark.parametrize(
    "name",
    [
        "jupyterhub-user-",
        "jupyterhub-user-a_2Eb",
        "jupyterhub-user-a.b",
        "jupyterhub-user--61",
        "jupyterhub-user--ff",
        "x-user-a",
    ],
)
def test_what_no_user_would_get_is_nobodys_home(name: str) -> None:
    """Names of dockerspawner before 12.0, and what is escaped in another way than the hub does."""
    assert homes.owner({"Name": name, "Labels": None}, WHOLE) is None


@pytest.mark.parametrize(
    ("template", "volume", "user"),
    [
        ("home-{username}--{servername}", "home-a-2db--lab", "a-b"),
        ("home-{username}--{servername}", "home-ada--", "ada"),
        ("everybody", "everybody", "everybody"),
        ("{username}", "jupyterhub-home-ada", None),
        ("", "ada", None),
    ],
)
def test_a_name_is_read_by_the_template(template: str, volume: str, user: str | None) -> None:
    """Only one that begins with text is a whole name; without a user in it, the volume's own stands for it."""
    assert homes.owner({"Name": volume, "Labels": None}, template) == user


def test_of_several_volumes_made_by_hand_none_is_chosen() -> None:
    """The newest may be the empty one; a record that an operator makes settles it."""
    held = {"n2": [by_hand("ada")], "n3": [by_hand("ada", LATE), by_hand("grace")]}
    found = homes.unrecorded((), held, {"n2", "n3"})
    assert homes.doubtful(found, held) == {by_hand("ada").name: ["n2", "n3"]}
    recorded = (HomeRecord("c1", by_hand("ada").name, "ada", "n2"),)
    assert homes.doubtful(homes.unrecorded(recorded, held, {"n2", "n3"}), held) == {}


def test_a_volume_with_a_long_name_has_a_record() -> None:
    """Swarm takes 63 letters for the record's name."""
    manager, long = FakeHost(), by_hand("a.b" * 20)
    (change,) = homes.recording((), {"n2": [long]}, HOSTS, "jupyterhub", MANAGER)
    change.apply(manager, FakeProgress())
    (record,) = homes.places(manager, "jupyterhub")
    assert (len(record.name), homes.unrecorded([record], {"n2": [long]}, {"n2"})) == (63, {})


@pytest.mark.parametrize(
    ("known", "held", "found"),
    [
        pytest.param(at("n2"), {"n2": [ADA]}, {}, id="recorded"),
        pytest.param(at("n2"), {"n2": [], "n3": [ADA]}, {}, id="given up there, and made anew on another node"),
        pytest.param((), {"n2": [ADA], "n3": [GRACE]}, {"n2": [ADA], "n3": [GRACE]}, id="the swarm was made anew"),
        pytest.param(at("gone"), {"n2": [ADA]}, {"n2": [ADA]}, id="the node has joined anew"),
        pytest.param(at("gone"), {"n2": []}, {}, id="the node is gone, and its volumes with it"),
    ],
)
def test_a_home_is_found_where_no_record_leads_to(
    known: tuple[HomeRecord, ...], held: dict[str, list[HomeVolume]], found: dict[str, list[HomeVolume]]
) -> None:
    """By its volume: records go with their swarm, and a node's id when it leaves."""
    assert homes.unrecorded(known, held, {"n1", "n2", "n3"}) == found


@pytest.mark.parametrize("nodes", [("n2", "n3"), ("n3", "n2")])
def test_of_two_homes_the_newer_is_meant(nodes: tuple[str, str]) -> None:
    """The older one was given up when the newer was made."""
    newer = HomeVolume(ADA.name, "ada", LATE)
    assert homes.unrecorded((), dict(zip(nodes, ([ADA], [newer]), strict=True)), nodes) == {nodes[1]: [newer]}


@pytest.mark.parametrize("known", [(), at("gone")], ids=["none", "another"])
def test_a_record_is_made_or_corrected(known: tuple[HomeRecord, ...]) -> None:
    """One change for each node, however many people have their homes there."""
    manager = FakeHost()
    for place in known:
        configs.create(manager, place.name, LABELS | {homes.NODE: place.node}, {})
    (change,) = homes.recording(known, {"n2": [ADA, GRACE]}, HOSTS, "jupyterhub", MANAGER)
    assert change.sentence == f"record the homes of ada, grace, which {WORKER1} has, on {MANAGER}"
    change.apply(manager, FakeProgress())
    assert {(one.user, one.node) for one in homes.places(manager, "jupyterhub")} == {("ada", "n2"), ("grace", "n2")}


@pytest.mark.parametrize(("number", "said"), [(2, "a, b"), (7, "a, b, c, d, e, … (7 people)")])
def test_of_many_people_the_first_are_named(number: int, said: str) -> None:
    """A line stays one."""
    assert homes.names("gfedcba"[-number:]) == said


CUT = f"jupyterhub-home-{'a' * 34}-0123456789ab"
ANYWHERE = {"Driver": "rexray", "CreatedAt": ""}


@pytest.mark.parametrize(
    ("name", "driver", "is_found"),
    [
        (CUT, ANYWHERE, True),
        (CUT, {}, False),
        (f"jupyterhub-home-{'a' * 26}-0123456789abcdef0123", ANYWHERE, False),
        ("jupyterhub-home-ada", ANYWHERE, False),
    ],
    ids=["cut", "on a node", "cut by this release", "short"],
)
def test_a_home_that_every_node_reaches_keeps_the_name_that_an_earlier_release_has_cut(
    name: str, driver: dict[str, Any], is_found: bool
) -> None:
    """It is recorded, on no node; once."""
    worker, manager = FakeHost(WORKER1, {"GET /volumes": {"Volumes": [home_volume("ada", name=name) | driver]}}), FakeHost()
    for change in homes.naming((), [*homes.cut(worker, "jupyterhub")] * 2, "jupyterhub", MANAGER):
        assert change.sentence == f"record the names that the homes of ada have on {MANAGER}"
        change.apply(manager, FakeProgress())
    known = homes.places(manager, "jupyterhub")
    assert known == ((HomeRecord("c1", CUT, "ada", ""),) if is_found else ())
    assert homes.naming(known, homes.cut(worker, "jupyterhub"), "jupyterhub", MANAGER) == []
