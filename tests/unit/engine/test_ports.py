"""Who listens on a port."""

from swarmhub.engine import ports
from swarmhub.engine.containers import SERVICE_LABEL
from swarmhub.engine.ports import PortHolder
from swarmhub.host import EngineError, Output
from tests.unit.support.fakes import MANAGER, FakeHost

SS = "ss -Hltnp sport = :443"


def listening(said: str, services: object = None) -> FakeHost:
    """Return a host on which ss says this."""
    answers = {"GET /containers/json": [], "GET /services": services or []}
    return FakeHost(answers=answers, commands={SS: Output(0, said, "")})


def test_container_is_named_with_its_service() -> None:
    """Published ports say it; Swarm's label says whose it is."""
    container = {
        "Names": ["/jupyterhub.1.abc"],
        "Ports": [{"PublicPort": 443}],
        "Labels": {SERVICE_LABEL: "jupyterhub"},
    }
    found = ports.observe(FakeHost(answers={"GET /containers/json": [container]}), 443)
    assert found == PortHolder("the container jupyterhub.1.abc", container["Labels"], "jupyterhub")  # type: ignore[arg-type]


def test_process_is_named() -> None:
    """With its pid; on a worker, which knows no services, it is the engine; a free port has no holder."""
    found = ports.observe(listening('LISTEN 0 5 *:443 *:* users:(("nginx",pid=12,fd=3))'), 443)
    assert found == PortHolder("the process nginx (pid 12)")
    worker = listening('LISTEN 0 5 *:443 *:* users:(("dockerd",pid=12,fd=3))')
    worker.engine.answers["GET /services"] = EngineError(MANAGER, 503, "not a manager")
    assert ports.observe(worker, 443) == PortHolder("the process dockerd (pid 12)")
    assert ports.observe(listening(""), 443) is None


def test_routing_mesh_is_the_services() -> None:
    """The engine itself listens for a service that is published on every node."""
    endpoint = {"Ports": [{"PublishedPort": 443, "PublishMode": "ingress"}]}
    services = [{"Spec": {"Name": "jupyterhub"}, "Endpoint": endpoint}]
    found = ports.observe(listening('LISTEN 0 5 *:443 *:* users:(("dockerd",pid=12,fd=3))', services), 443)
    assert found == PortHolder("the service jupyterhub", service="jupyterhub")


def test_routing_mesh_is_seen_by_whoever_may_not_see_processes() -> None:
    """Without the process' name, the services still tell."""
    services = [{"Spec": {"Name": "hub"}, "Endpoint": {"Ports": [{"PublishedPort": 443, "PublishMode": "ingress"}]}}]
    assert ports.observe(listening("LISTEN 0 5 *:443 *:*", services), 443) == PortHolder("the service hub", service="hub")
