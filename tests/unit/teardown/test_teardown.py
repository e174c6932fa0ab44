"""What a teardown removes, in which order, and what it keeps."""

from dataclasses import replace
from typing import Any

import pytest

from swarmhub.engine.removal import Thing
from swarmhub.errors import StepError, UsageError
from swarmhub.host import EngineError, Output
from swarmhub.plan.plans import Cost, Plan
from swarmhub.teardown import teardown
from swarmhub.teardown.leftovers import OnCluster, OnNode, Others
from tests.unit.support.fakes import MANAGER, WORKER1, Clock, FakeHost, FakeProgress, in_turn, settings
from tests.unit.support.swarms import notebook

HUB = Thing("jupyterhub", "/services/s1")
FIREWALL = Thing("jupyterhub_firewall", "/services/s3")
ADA = Thing("jupyterhub-ada", "/services/s2")
CLUSTER = OnCluster(
    services=(HUB, ADA),
    secrets=(Thing("id", "/secrets/x1"), Thing("secret", "/secrets/x2")),
    configs=tuple(Thing(f"history-{number}", f"/configs/c{number}") for number in range(3)),
    homes=(Thing("home-ada", "/configs/h1"),),
    networks=(Thing("network jupyter", "/networks/net"),),
    shared={},
    labels={"n2": ("swarmhub.waits",)},
    others=Others(),
)
EMPTY = OnNode((), (), (), (), (), (), (), ())
HOMES = tuple(Thing(f"home-{user}", f"/volumes/home-{user}") for user in ("ada", "grace", "knuth"))
NODES = {
    MANAGER: replace(
        EMPTY,
        temporary=(Thing("volume jupyterhub-engine", "/volumes/jupyterhub-engine"),),
        images=(Thing("image jupyterhub:1", "/images/jupyterhub:1", 570_000_000),),
        volumes=(Thing("volume jupyterhub-data", "/volumes/jupyterhub-data"),),
        certificate=("/etc/letsencrypt",),
    ),
    WORKER1: replace(
        EMPTY,
        containers=(Thing("container certbot", "/containers/x"),),
        ended=(Thing("jupyterhub.1.abc", "/containers/y"),),
        in_use=("notebook:1",),
        homes=HOMES,
    ),
}
NOTHING = OnCluster((), (), (), (), (), {}, {}, Others())


def planned(cluster: OnCluster = CLUSTER, nodes: Any = NODES, *, with_data: bool = False) -> Plan:
    """Return the plan of a teardown while Ada works."""
    return teardown.plan(settings(), cluster, nodes, [notebook("ada")], manager=MANAGER, with_data=with_data)


def test_services_go_first_and_then_what_they_stood_on() -> None:
    """Everything is named with its node and its size; data are not touched."""
    assert [change.sentence for change in planned().changes] == [
        f"remove service jupyterhub on {MANAGER}",
        f"remove service jupyterhub-ada on {MANAGER}",
        f"remove 2 secrets (id, secret) on {MANAGER}",
        f"remove network jupyter on {MANAGER}",
        f"remove volume jupyterhub-engine on {MANAGER}",
        f"remove image jupyterhub:1 (570 MB) on {MANAGER}",
        f"remove 1 ended task (jupyterhub.1.abc) on {WORKER1}",
        f"remove container certbot on {WORKER1}",
        f"remove 3 configs (history-0, history-1, …) on {MANAGER}",
        f"remove labels swarmhub.waits of node n2 on {MANAGER}",
    ]


def test_the_firewall_stays_until_no_server_is_left() -> None:
    """Its service goes last of all, at no cost; who works loses a server, and without the hub nobody can log in."""
    services = planned(replace(CLUSTER, services=(FIREWALL, HUB, ADA))).changes[:3]
    assert [(one.what.split()[1], one.cost) for one in services] == [
        ("jupyterhub", Cost.HUB_STOP),
        ("jupyterhub-ada", Cost.NOTEBOOKS_STOP),
        ("jupyterhub_firewall", Cost.NOTHING),
    ]
    assert services[1].people == ("ada",)


def test_data_go_only_on_demand_and_last() -> None:
    """Volumes, certificates, and people's homes with the records of where they are."""
    more = [change.sentence for change in planned(with_data=True).changes[len(planned().changes) :]]
    assert more == [
        f"remove volume jupyterhub-data on {MANAGER}",
        f"remove /etc/letsencrypt on {MANAGER}",
        f"remove 3 homes (home-ada, home-grace, …) on {WORKER1}",
        f"remove 1 home record (home-ada) on {MANAGER}",
    ]


def test_a_network_that_others_use_stays() -> None:
    """And it is said who does."""
    shared = replace(CLUSTER, networks=(), shared={"jupyter": ("registry",)})
    assert "network" not in str([change.what for change in planned(shared).changes])
    assert "network jupyter: registry use it" in teardown.kept(settings(), shared, NODES, with_data=True)


def test_what_stays_is_said_with_how_to_remove_it() -> None:
    """Data, images in use, and the swarm."""
    assert teardown.kept(settings(), CLUSTER, NODES, with_data=False) == [
        f"volume jupyterhub-data, /etc/letsencrypt on {MANAGER}; to remove them too: fab teardown --with-data",
        f"3 homes (home-ada, home-grace, …) on {WORKER1}; to remove them too: fab teardown --with-data",
        f"notebook:1 on {WORKER1}: other containers use them",
        "the swarm; to end it, on each node: docker swarm leave --force",
    ]


def test_homes_that_were_made_by_hand_stay_and_are_named() -> None:
    """Also where the data go."""
    nodes = {WORKER1: replace(EMPTY, by_hand=("jupyterhub-user-ada",))}
    line = f"1 home (jupyterhub-user-ada) on {WORKER1}: made by hand, before this hub; to remove one: docker volume rm NAME"
    assert line in teardown.kept(settings(), CLUSTER, nodes, with_data=True)
    assert "jupyterhub-user-ada" not in str([change.what for change in planned(CLUSTER, nodes, with_data=True).changes])


def test_where_nothing_is_left_there_is_nothing_to_do() -> None:
    """A second teardown says so."""
    plan = planned(NOTHING, {MANAGER: EMPTY, WORKER1: EMPTY})
    assert (plan.changes, plan.summary) == ((), "nothing of jupyterhub is left on 2 nodes")


def test_homes_elsewhere_are_told_and_stay() -> None:
    """Swarmhub has not made a file server's folder, and does not remove it."""
    shared = settings(home={"type": "path", "path": "/srv/homes"})
    kept = teardown.kept(shared, NOTHING, {MANAGER: EMPTY}, with_data=True)
    assert kept[0] == "the homes in /srv/homes (path); they are removed by hand"


@pytest.mark.parametrize("typed", ["", "hub.example.com", "HUB.example.org"])
def test_another_name_stops_it(typed: str) -> None:
    """Data of another cluster than the one meant are safe."""
    with pytest.raises(UsageError, match=r"is not the cluster's name, hub\.example\.org; nothing was removed"):
        teardown.require_name(typed, "hub.example.org")
    teardown.require_name("hub.example.org", "hub.example.org")


def change(what: str, **more: Any) -> Any:
    """Return one of the changes."""
    return next(one for one in planned(**more).changes if what in one.what)


def test_what_is_in_use_for_a_moment_is_tried_again(progress: FakeProgress, clock: Clock) -> None:
    """A removed service's containers hold a network until they have ended."""
    host = FakeHost(answers={"DELETE /networks/net": in_turn(EngineError(MANAGER, 403, "has active endpoints"), None)})
    change("network").apply(host, progress)
    assert (host.engine.asked(), len(clock.slept)) == (["DELETE /networks/net"] * 2, 1)


def test_what_stays_in_use_is_an_error(progress: FakeProgress, clock: Clock) -> None:
    """With what the engine says."""
    host = FakeHost(answers={"DELETE /networks/net": EngineError(MANAGER, 403, "has active endpoints")})
    with pytest.raises(StepError, match="cannot remove network jupyter: has active endpoints"):
        change("network").apply(host, progress)
    assert clock.now > 1060


def test_several_things_are_removed_by_one_change(progress: FakeProgress) -> None:
    """Each by its own path."""
    host = FakeHost()
    change("configs").apply(host, progress)
    assert host.engine.asked() == [f"DELETE /configs/c{number}" for number in range(3)]


def test_node_labels_of_ours_go_and_others_stay(progress: FakeProgress) -> None:
    """The rest of the node's spec is sent as it was."""
    spec = {"Role": "worker", "Availability": "active", "Labels": {"swarmhub.waits": "image", "rack": "4"}}
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 3}, "Spec": spec}})
    change("labels").apply(host, progress)
    assert host.engine.sent("POST /nodes/n2/update").body["Labels"] == {"rack": "4"}


def test_a_folder_is_removed_by_a_command(progress: FakeProgress) -> None:
    """There is no API for it; where it cannot be removed the error says why."""
    host, call = FakeHost(), "rm -rf /etc/letsencrypt"
    host.commands[call] = Output(0, "", "")
    change("/etc/letsencrypt", with_data=True).apply(host, progress)
    assert host.ran == [("rm", "-rf", "/etc/letsencrypt")]
    host.commands[call] = Output(1, "", "Device or resource busy\n")
    with pytest.raises(StepError, match=r"cannot remove /etc/letsencrypt: Device or resource busy\. Correct that there"):
        change("/etc/letsencrypt", with_data=True).apply(host, progress)
