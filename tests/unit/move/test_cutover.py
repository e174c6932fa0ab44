"""The hub's services on another node: which go, in what order, and what becomes of them where one does not come up."""

import json
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Json
from swarmhub.move import cutover
from swarmhub.move.cutover import Way
from swarmhub.move.parcels import Parcel
from swarmhub.plan.plans import Cost
from tests.unit.support.fakes import Clock, FakeHost, FakeProgress, Request

A, B = "a", "b"
DATA = Parcel("data", "jupyterhub-data", replaces=True)


def service(name: str, node: str = "na", hub: str = "jupyterhub", ports: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return a service that is pinned to a node."""
    published = [{"PublishedPort": port, "TargetPort": port, "PublishMode": "host"} for port in ports]
    template = {
        "ContainerSpec": {"Image": f"{name}:1"},
        "Placement": {"Constraints": ["node.role==manager", f"node.id=={node}"]},
    }
    spec = {"Name": name, "Labels": {"swarmhub.service": hub}, "TaskTemplate": template, "EndpointSpec": {"Ports": published}}
    return {"ID": name, "Version": {"Index": 7}, "Spec": spec}


HUB, FILTER, PROXY = service("jupyterhub"), service("jupyterhub-engine"), service("jupyterhub-proxy", ports=(443, 80))


class Cluster:
    """Two managers: services go where they are pinned, and a task of one that is in `failing` does not run there."""

    def __init__(self, failing: str = "") -> None:
        self.services = {one["Spec"]["Name"]: json.loads(json.dumps(one)) for one in (HUB, FILTER, PROXY)}
        self.failing, self.pins = failing, list[str]()
        self.a, self.b = FakeHost(A), FakeHost(B)
        for name in self.services:
            self.b.engine.answers |= {
                f"GET /services/{name}": lambda _, name=name: self.services[name],
                f"POST /services/{name}/update": lambda request, name=name: self._update(name, request),
            }
        self.b.engine.answers["GET /tasks"] = self._tasks
        for host, said in ((self.a, {"files": 3, "bytes": 10, "packed": 5, "aside": ""}), (self.b, {"aside": ""})):
            host.engine.answers |= {
                "POST /containers/create": {"Id": "once"},
                "GET /containers/once/logs": [json.dumps(said)],
                "POST /containers/once/wait": {"StatusCode": 0},
                "GET /containers/once/archive": [b"tar"],
            }

    def _update(self, name: str, request: Request) -> None:
        self.services[name]["Spec"] = request.body
        node = request.body["TaskTemplate"]["Placement"]["Constraints"][1].removeprefix("node.id==")
        self.pins.append(f"{name} {node}")

    def _tasks(self, request: Request) -> list[Json]:
        (name,) = request.params["filters"]["service"]
        spec = self.services[name]["Spec"]
        node = spec["TaskTemplate"]["Placement"]["Constraints"][1].removeprefix("node.id==")
        bad = name == self.failing and node == "nb"
        state = {"State": "failed", "Err": "no such image"} if bad else {"State": "running"}
        task = {"NodeID": node, "DesiredState": "running", "Status": state, "Spec": spec["TaskTemplate"]}
        return [{**task, "ID": f"t{number}", "CreatedAt": f"{number}"} for number in range(2)]

    @property
    def way(self) -> Way:
        return Way(self.a, self.b, "na", "nb", "20261130-010203")


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmhub.wait.time", Clock())


def test_the_hubs_own_services_go_and_no_others() -> None:
    """The hub first, then its filter; not those of another hub on that node, nor what runs elsewhere."""
    others = [
        service("other", hub="other"),
        service("jupyterhub-away", node="nx"),
        {"Spec": {"Name": "by-hand", "TaskTemplate": {}}},
    ]
    found = cutover.pinned([PROXY, *others, FILTER, service("jupyterhub-a"), HUB], "jupyterhub", "na")
    assert [one["Spec"]["Name"] for one in found] == ["jupyterhub", "jupyterhub-engine", "jupyterhub-a", "jupyterhub-proxy"]
    assert cutover.images([HUB, HUB, PROXY]) == ["jupyterhub:1", "jupyterhub-proxy:1"]
    assert cutover.published([HUB, PROXY]) == [443, 80]


def test_nothing_but_the_node_changes() -> None:
    """So a deploy finds the hub as wanted."""
    new = cutover.repinned(HUB["Spec"], "nb")
    assert new["TaskTemplate"]["Placement"]["Constraints"] == ["node.role==manager", "node.id==nb"]
    new["TaskTemplate"]["Placement"] = HUB["Spec"]["TaskTemplate"]["Placement"]
    assert new == HUB["Spec"]


def test_the_hub_takes_its_data_along_when_it_has_stopped(progress: FakeProgress) -> None:
    """Then the filter comes; the proxy, which people's servers are reached by, stays until the hub answers."""
    cluster = Cluster()
    change = cutover.hub_change(cluster.way, HUB, FILTER, DATA)
    assert (change.host, change.cost) == (B, Cost.HUB_RESTART)
    change.apply(cluster.b, progress)
    assert cluster.pins == ["jupyterhub nb", "jupyterhub-engine nb"]
    job = json.loads(_job(cluster.b))
    assert (job["action"], job["is_last"], job["time"]) == ("unpack", True, "20261130-010203")
    assert cluster.b.engine.sent("PUT /containers/once/archive").params["path"] == "/"
    assert any("the hub was away for" in line for _, line in progress.lines)


def _job(host: FakeHost) -> str:
    """Return the job in the first tar that a host's container was given."""
    import io
    import tarfile

    content = host.engine.sent("PUT /containers/once/archive").body
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile("swarmhub-parcel.json")
        assert file is not None
        return file.read().decode()


@pytest.mark.parametrize("failing", ["jupyterhub", "jupyterhub-engine"])
def test_a_hub_that_does_not_come_up_goes_back(failing: str, progress: FakeProgress) -> None:
    """With its filter; and no hub starts with what has come to the other node."""
    cluster = Cluster(failing)
    with pytest.raises(StepError, match="does not run: no such image"):
        cutover.hub_change(cluster.way, HUB, FILTER, DATA).apply(cluster.b, progress)
    assert cluster.pins == ["jupyterhub nb", "jupyterhub-engine nb", "jupyterhub-engine na", "jupyterhub na"]
    assert (B, "the hub goes back to a") in progress.lines


def test_an_interrupted_move_leaves_the_hub_where_it_was(progress: FakeProgress) -> None:
    """Ctrl-C in the middle of the copy: the hub is sent back before the run ends."""
    cluster = Cluster()
    cluster.a.engine.answers["POST /containers/once/start"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        cutover.hub_change(cluster.way, HUB, FILTER, DATA).apply(cluster.b, progress)
    assert cluster.pins == ["jupyterhub nb", "jupyterhub na"]


def test_data_on_a_file_server_stay_where_they_are(progress: FakeProgress) -> None:
    """Every manager has them; a hub without a filter has none to move."""
    cluster = Cluster()
    cutover.hub_change(cluster.way, HUB, None, None).apply(cluster.b, progress)
    assert cluster.pins == ["jupyterhub nb"]
    assert cluster.a.engine.requests == []


def test_a_proxy_that_does_not_come_up_goes_back_alone(progress: FakeProgress) -> None:
    """The hub is reached through it on the other node; who is connected is told in the plan."""
    cluster = Cluster("jupyterhub-proxy")
    change = cutover.change(cluster.way, PROXY)
    assert (change.cost, cutover.change(cluster.way, FILTER).cost) == (Cost.RECONNECT, Cost.NOTHING)
    assert change.command == ("docker service update --constraint-rm node.id==na --constraint-add node.id==nb jupyterhub-proxy")
    with pytest.raises(StepError, match="jupyterhub-proxy does not run"):
        change.apply(cluster.b, progress)
    assert cluster.pins == ["jupyterhub-proxy nb", "jupyterhub-proxy na"]


RENEWAL, CERTIFICATE = service("jupyterhub-renewal"), Parcel("certificate", "/etc/letsencrypt", ("accounts",))


def renewing(cluster: Cluster) -> list[int]:
    """Let a cluster have a renewal, and return how many of it are wanted, each time that it is changed."""
    wanted: list[int] = []

    def update(request: Request) -> None:
        cluster._update("jupyterhub-renewal", request)
        wanted.append((request.body["Mode"]["Replicated"])["Replicas"])

    cluster.services["jupyterhub-renewal"] = {**RENEWAL, "Spec": {**RENEWAL["Spec"], "Mode": {"Replicated": {"Replicas": 1}}}}
    cluster.b.engine.answers |= {
        "GET /services/jupyterhub-renewal": lambda _: cluster.services["jupyterhub-renewal"],
        "POST /services/jupyterhub-renewal/update": update,
        "GET /tasks": lambda request: cluster._tasks(request) if wanted[-1] else [],
    }
    return wanted


def test_the_renewal_takes_along_what_it_has_done_since(progress: FakeProgress) -> None:
    """It stops first: a certificate that it got meanwhile, or half of one, would stay behind."""
    cluster = Cluster()
    wanted = renewing(cluster)
    cutover.renewal_change(cluster.way, RENEWAL, CERTIFICATE, "hub:1").apply(cluster.b, progress)
    assert (cluster.pins, wanted) == (["jupyterhub-renewal na", "jupyterhub-renewal nb"], [0, 1])
    assert [one for one in cluster.a.engine.asked() if one.endswith("archive")][-1] == "GET /containers/once/archive"
    assert cluster.b.engine.asked().index("PUT /containers/once/archive") > 0


def test_a_renewal_that_cannot_move_goes_on_where_it_was(progress: FakeProgress) -> None:
    """Though it was stopped already."""
    cluster = Cluster()
    wanted = renewing(cluster)
    cluster.a.engine.answers["POST /containers/once/wait"] = {"StatusCode": 1}
    with pytest.raises(StepError, match="the hub's certificate cannot be moved"):
        cutover.renewal_change(cluster.way, RENEWAL, CERTIFICATE, "hub:1").apply(cluster.b, progress)
    assert (cluster.pins, wanted) == (["jupyterhub-renewal na", "jupyterhub-renewal na"], [0, 1])
