"""The firewall's service: what is wanted, what differs, and how it is waited for."""

import copy
from typing import Any

import pytest

from swarmhub.errors import StepError, StepErrors
from swarmhub.firewall import firewall, rules
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall import spec as firewall_spec
from swarmhub.firewall.firewall import ExistingFirewall
from swarmhub.firewall.rules import Endpoints
from swarmhub.host import Output
from tests.unit.support.cluster import as_kept
from tests.unit.support.fakes import MANAGER, WORKER1, Clock, FakeHost, FakeProgress, in_turn

HUB, IMAGE, TAG = "jupyterhub", "sha256:firewall", firewall_image.tag("jupyterhub")
RULES = rules.desired(HUB, [Endpoints(("10.0.0.11",))], [], 4789, [])
WANTED = firewall_spec.desired(HUB, IMAGE, RULES)
NODES = {"n1": MANAGER, "n2": WORKER1}


def service(**more: Any) -> dict[str, Any]:
    """Return the service as an engine answers it."""
    kept = as_kept(WANTED, {})
    kept["TaskTemplate"]["Networks"] = [{"Target": "id-of-host"}]
    return {"ID": "w1", "Version": {"Index": 7}, "Spec": kept | more}


def task(node: str, state: str = "running", at: int = 1, **status: Any) -> dict[str, Any]:
    """Return a task of the service as it is."""
    spec = service()["Spec"]["TaskTemplate"]
    values = {"ID": f"t-{node}-{at}", "NodeID": node, "CreatedAt": f"2026-11-25T10:00:0{at}Z", "Spec": spec, "ServiceID": "w1"}
    return values | {"Status": {"State": state, **status}}


def found(*tasks: dict[str, Any]) -> ExistingFirewall:
    """Return the service with these tasks."""
    return ExistingFirewall(service(), tasks)


def test_it_is_created_where_there_is_none() -> None:
    """On a manager, which gives it to all nodes."""
    host = FakeHost()
    (change,) = firewall.plan(WANTED, ExistingFirewall(None), MANAGER).changes
    change.apply(host, FakeProgress())
    assert (change.sentence, host.engine.sent("POST /services/create").body) == (
        f"create service jupyterhub_firewall on {MANAGER}",
        WANTED,
    )


def test_where_it_is_as_wanted_nothing_is_planned() -> None:
    """Whatever the engine fills in, and by whatever id it keeps the network."""
    plan = firewall.plan(WANTED, found(task("n1"), task("n2")), MANAGER)
    assert (plan.changes, plan.summary) == ((), "jupyterhub_firewall: rules are active on 2 nodes")


def test_other_rules_are_an_update_of_the_version_that_was_seen() -> None:
    """So that a second operator's update fails instead of being lost."""
    host = FakeHost()
    other = firewall_spec.desired(HUB, IMAGE, rules.desired(HUB, [Endpoints(("10.0.0.12",))], [], 4789, []))
    (change,) = firewall.plan(other, found(), MANAGER).changes
    change.apply(host, FakeProgress())
    sent = host.engine.sent("POST /services/w1/update")
    assert ([one.path for one in change.differences], sent.params, sent.body) == (
        ["TaskTemplate.ContainerSpec.Env.IPV4"],
        {"version": 7},
        other,
    )


def test_somebody_elses_service_of_that_name_is_left_alone() -> None:
    """It is named where the hub needs the name, and else nothing is done to it."""
    theirs = ExistingFirewall(service(Labels={"com.docker.stack.namespace": HUB}))
    with pytest.raises(StepError, match="service jupyterhub_firewall is not this hub's"):
        firewall.plan(WANTED, theirs, MANAGER)
    assert firewall.plan_none(HUB, theirs, MANAGER).changes == ()


def test_a_firewall_that_is_not_wanted_goes_and_its_containers_are_waited_for(clock: Clock) -> None:
    """They take the rules away when they end; where there is none, none goes."""
    host = FakeHost(answers={"GET /tasks": in_turn([task("n1")], [task("n1", "shutdown"), task("n9") | {"ServiceID": "x"}])})
    (change,) = firewall.plan_none(HUB, found(), MANAGER).changes
    change.apply(host, FakeProgress())
    assert (host.engine.asked("DELETE"), len(clock.slept)) == (["DELETE /services/w1"], 1)
    assert firewall.plan_none(HUB, ExistingFirewall(None), MANAGER).changes == ()


@pytest.mark.parametrize(
    ("there", "elsewhere", "image"),
    [
        (ExistingFirewall(None), ["a", "a"], "a"),
        (ExistingFirewall(None), ["a", "b"], TAG),
        (ExistingFirewall(None), ["a", None], None),
        (found(task("n1")), [], IMAGE),
        (found(task("n1")), [IMAGE], IMAGE),
        (found(task("n1")), ["other"], TAG),
        (found(), ["a"], "a"),
    ],
    ids=["new", "two kinds of machine", "lacking", "standing", "one fell", "another kind of machine came", "all fell"],
)
def test_the_image_goes_by_its_id_where_all_nodes_have_the_same(
    there: ExistingFirewall, elsewhere: list[str | None], image: str | None
) -> None:
    """An engine seeks a name in a registry first, and waits for one that does not answer."""
    assert firewall.image(HUB, there, elsewhere) == image


def test_rules_stand_where_the_newest_task_runs_with_the_present_spec() -> None:
    """One that starts is not healthy yet; one of the spec before has other rules."""
    old = task("n3")
    old["Spec"] = copy.deepcopy(old["Spec"])
    old["Spec"]["ContainerSpec"]["Image"] = "another"
    tasks = (task("n1"), task("n2"), task("n2", "starting", 2), old)
    assert found(*tasks).active == {"n1"}


def ensure(tasks: Any, first: ExistingFirewall | None = None, **logs: list[str]) -> tuple[FakeHost, list[StepError]]:
    """Return a manager on which the rules were waited for, and the errors of the nodes that lack them."""
    answers = {"GET /services/jupyterhub_firewall": service(), "GET /tasks": tasks}
    host = FakeHost(answers=answers | {f"GET /tasks/{id_.replace('_', '-')}/logs": lines for id_, lines in logs.items()})
    try:
        firewall.ensure(host, HUB, NODES, first or ExistingFirewall(None))
    except StepErrors as raised:
        return host, [*raised.errors]
    return host, []


def test_nodes_are_waited_for(clock: Clock) -> None:
    """As long as one is starting; where all are active nobody is asked."""
    assert ensure(in_turn([task("n1"), task("n2", "starting")], [task("n1"), task("n2")]))[1] == []
    assert len(clock.slept) == 1
    host, _ = ensure([], found(task("n1"), task("n2")))
    assert host.engine.asked() == []


def test_a_node_without_rules_is_named_with_what_its_firewall_says(clock: Clock) -> None:
    """Two tasks in a row that end by themselves are enough; the others are not blamed."""
    broken = [task("n2", "failed", at, Err="task: non-zero exit (1)") for at in (1, 2)]
    _, (error,) = ensure([task("n1"), *broken], t_n2_2=["this host has no iptables"])
    assert (error.host, error.cause) == (WORKER1, "the firewall rules are not active: this host has no iptables")
    assert clock.slept == []


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("path /run/docker is mounted on / but it is not a shared or slave mount", "mount --make-rshared /"),
        ("this host has no docker command, which isolates servers from each other", "Install Docker's command line there"),
        ("hub-ada cannot be isolated from the other servers", "firewall.isolate_servers = false"),
    ],
)
def test_a_host_on_which_servers_cannot_be_kept_apart_is_told_what_to_do(clock: Clock, said: str, remedy: str) -> None:
    """Or how to do without."""
    _, (error,) = ensure([task("n1"), *(task("n2", "rejected", at, Err=said) for at in (1, 2))])
    assert remedy in error.remedy


def test_what_failed_before_does_not_count(clock: Clock) -> None:
    """It may have been mended since: the task that starts now is waited for."""
    broken = [task("n2", "failed", at) for at in (1, 2)]
    first = found(task("n1"), *broken, task("n2", "starting", 3))
    assert ensure(in_turn([*first.tasks], [task("n1"), *broken, task("n2", at=3)]), first)[1] == []
    assert len(clock.slept) == 1


def test_a_task_that_says_nothing_is_told_by_its_state(clock: Clock) -> None:
    """When the time is up; Swarm's own reason, where there is one; or that it has given the node no task."""
    rejected = [task("n2", "rejected", at, Err="No such image: firewall") for at in (1, 2)]
    causes = [one.cause for one in (*ensure([task("n1", "preparing"), *rejected])[1], *ensure([task("n1")])[1])]
    assert causes == [
        f"the firewall rules are not active: {why}"
        for why in ("the container is preparing", "No such image: firewall", "Swarm has given this node no task")
    ]


def test_a_host_tells_its_addresses_and_sshds_ports() -> None:
    """Each once; without `ip` or sshd it tells nothing, and the swarm's own address is known all the same."""
    assert firewall.parse("address 10.0.0.11\naddress 10.0.0.11\naddress 2001:db8::1\nssh 22\n") == Endpoints(
        ("10.0.0.11", "2001:db8::1"), (22,)
    )
    assert firewall.observe_host(FakeHost(commands={f"sh -c {firewall.SCRIPT}": Output(0, "", "")})) == Endpoints()
