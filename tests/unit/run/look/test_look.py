"""One look at the cluster: each question asked once, until something has changed."""

from collections.abc import Callable
from typing import Any

import pytest

from swarmhub.cluster.nodes import Member
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.run.look import Look
from swarmhub.settings import Settings
from tests.unit.support.cluster import NODES
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost


@pytest.fixture
def look(given: Settings, hosts: dict[str, FakeHost]) -> Look:
    """Return a look at the cluster."""
    return Look(given, hosts, MANAGER)


def asked(hosts: dict[str, FakeHost]) -> int:
    """Return how many questions the hosts have been asked."""
    return sum(len(host.engine.requests) + len(host.ran) for host in hosts.values())


def everything(look: Look) -> None:
    """Ask all that the steps ask."""
    for question in (look.swarm, look.network, look.volume, look.service, look.releases, look.certificate, look.members):
        question()
    look.images(tuple(NODES))


def test_after_one_look_no_step_asks_again(look: Look, hosts: dict[str, FakeHost]) -> None:
    """A run with nothing to do talks to the hosts in the one look, and not in the steps after it."""
    look.everywhere()
    before = asked(hosts)
    everything(look)
    assert asked(hosts) == before


def test_after_a_change_the_questions_are_asked_anew(look: Look, hosts: dict[str, FakeHost]) -> None:
    """What was seen before a change does not count after it."""
    everything(look)
    before = asked(hosts)
    look.forget()
    everything(look)
    assert asked(hosts) == 2 * before


def test_what_is_not_there_is_not_asked_for_twice(look: Look, hosts: dict[str, FakeHost]) -> None:
    """That there is no volume is an answer like any other."""
    del hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"]
    look.volume()
    look.volume()
    assert hosts[MANAGER].engine.asked().count("GET /volumes/jupyterhub-data") == 1


def test_a_question_that_failed_is_asked_again(look: Look, hosts: dict[str, FakeHost]) -> None:
    """A failure is no answer: the step that needs it asks again."""
    network = hosts[MANAGER].engine.answers["GET /networks"]
    hosts[MANAGER].engine.answers["GET /networks"] = EngineError(MANAGER, 500, "busy")
    look.everywhere()
    hosts[MANAGER].engine.answers["GET /networks"] = network
    assert look.network() is not None


def test_one_look_does_not_fail_for_a_host_that_does_not_answer(look: Look, hosts: dict[str, FakeHost]) -> None:
    """A host that cannot be reached is the matter of the step that needs it; the others have been asked."""
    hosts[WORKER1].engine.answers["GET /info"] = StepError(WORKER1, "no answer", "Is it up?")
    look.everywhere()
    assert hosts[WORKER2].engine.asked("GET")[:1] == ["GET /info"]


def test_a_users_server_is_not_taken_for_a_service_of_the_hubs(look: Look, hosts: dict[str, FakeHost]) -> None:
    """An older hub has started it: it would be turned into the proxy, and whoever works there would lose it."""
    container = {"Env": ["JUPYTERHUB_USER=proxy"]}
    labels = {"swarmhub.notebooks": "jupyterhub"}
    spec = {"Name": "jupyterhub-proxy", "Labels": labels, "TaskTemplate": {"ContainerSpec": container}}
    hosts[MANAGER].engine.answers["GET /services"] = [{"ID": "s9", "Spec": spec}]
    with pytest.raises(StepError, match="the server of proxy has the name jupyterhub-proxy"):
        look.proxy()


OWN: dict[str, tuple[dict[str, Any], Callable[[Look], object]]] = {
    "jupyterhub-proxy": ({"proxy": {"separate": True}}, Look.proxy),
    "jupyterhub-engine": ({"hub": {"engine": "filter"}}, Look.engine_filter),
    "jupyterhub-renewal": ({"proxy": {"separate": True}}, Look.renewal),
    "jupyterhub_backup": ({"backup": {"every": 86400}}, Look.has_schedule),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("labels", [None, {}, {"com.docker.stack.namespace": "jupyterhub"}])
def test_somebody_elses_service_is_not_taken_for_one_of_the_hubs(
    look: Look, hosts: dict[str, FakeHost], name: str, labels: dict[str, str] | None
) -> None:
    """A proxy made by hand, or the service `backup` of a stack called like the hub: neither changed nor removed."""
    tables, ask = OWN[name]
    spec: dict[str, Any] = {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": {}}}
    hosts[MANAGER].engine.answers["GET /services"] = [{"ID": "s9", "Spec": spec}]
    assert not ask(look)
    for table, given in tables.items():
        changed = getattr(look._settings, table).model_copy(update=given)
        look._settings = look._settings.model_copy(update={table: changed})
    if name == "jupyterhub_backup":
        ask = Look.schedule
    with pytest.raises(StepError, match=f"somebody else has made the service {name}"):
        ask(look)


def test_each_host_says_of_itself_what_it_is_or_why_not(look: Look, hosts: dict[str, FakeHost]) -> None:
    """Members are in the order of hosts.toml; a host that cannot be reached is there with its error."""
    lost = hosts[WORKER1].engine.answers["GET /info"] = StepError(WORKER1, "no answer", "Is it up?")
    assert look.members() == {
        MANAGER: Member("n1", "active", True, "29.0.1"),
        WORKER1: lost,
        WORKER2: Member("n3", "active", False, "29.0.1"),
    }


def test_an_engine_that_fails_is_not_taken_for_a_host_that_is_lost(look: Look, hosts: dict[str, FakeHost]) -> None:
    """An error that is not about reaching a host ends the step."""
    hosts[WORKER1].engine.answers["GET /info"] = EngineError(WORKER1, 500, "panic")
    with pytest.raises(EngineError, match="panic"):
        look.members()


def test_the_manager_is_only_asked_about_a_swarm_that_it_manages(look: Look, hosts: dict[str, FakeHost]) -> None:
    """A worker does not know the swarm: it is refused with what helps instead of an engine's error."""
    info = hosts[MANAGER].engine.answers["GET /info"]
    info["Swarm"]["ControlAvailable"] = False
    with pytest.raises(StepError, match="is a worker in the swarm"):
        look.swarm()
    assert "GET /nodes" not in hosts[MANAGER].engine.asked()
