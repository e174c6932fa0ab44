"""A cluster in memory, as its hosts answer when everything has been deployed."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr

from hub.shared import services
from swarmhub.certificate.certs import parse
from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.firewall import firewall
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall import rules as firewall_rules
from swarmhub.firewall import spec as wanted_firewall
from swarmhub.history import releases
from swarmhub.host import EngineError, Output
from swarmhub.images.hub import build
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.settings import Settings
from swarmhub.settings.secrets import Secrets
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import CALLBACK, DOMAIN, MANAGER, NOTEBOOK, NOW, WORKER1, WORKER2, FakeHost, Request

NETWORK = "u1k9xd2mzbq1yk0h5m3oqk2yz"
DIGEST = f"sha256:{'a' * 64}"
LABELS = {"swarmhub.image.aaaaaaaaaaaa": "held"}
# What ships but for the names, and a hub that does all by itself (see `fakes.alone`): proxy and filter have units of their own.
HOSTS_TOML = f"""\
[hosts]
managers = ["{MANAGER}"]
workers = ["{WORKER1}", "{WORKER2}"]

[hub]
domain = "{DOMAIN}"
engine = "socket"

[proxy]
separate = false

[notebook]
image = "{NOTEBOOK}"
"""
SECRETS = {
    "GITHUB_CLIENT_ID": SecretStr("id"),
    "GITHUB_CLIENT_SECRET": SecretStr("hush"),
    "OAUTH_CALLBACK_URL": SecretStr(CALLBACK),
}
FIREWALL_IMAGE = f"sha256:{'c' * 64}"
NODES = {MANAGER: "n1", WORKER1: "n2", WORKER2: "n3"}


Hosts = dict[str, FakeHost]
Type = Callable[..., None]


def as_kept(spec: dict[str, Any], secret_ids: dict[str, str]) -> dict[str, Any]:
    """Return a service's spec as an engine answers it: with what it fills in by itself."""
    kept: dict[str, Any] = configs.bare(spec)
    template = kept["TaskTemplate"]
    template |= {"Resources": {**template.get("Resources", {}), "Reservations": {}}, "ForceUpdate": 0, "Runtime": "container"}
    template["RestartPolicy"]["MaxAttempts"] = 0
    container = template["ContainerSpec"]
    container |= {"DNSConfig": {}, "Isolation": "default"}
    if "Privileges" in container:
        container["Privileges"] = {"CredentialSpec": None, "SELinuxContext": None, **container["Privileges"]}
    for reference in container.get("Secrets", []):
        reference["SecretID"] = secret_ids[reference["SecretName"]]
    for config in {"UpdateConfig", "RollbackConfig"} & {*kept}:
        kept[config]["MaxFailureRatio"] = 0
    return kept


def stored(*specs: dict[str, Any]) -> dict[str, StoredFile]:
    """Return the files of services of these specs, as the swarm keeps them."""
    return {
        one["ConfigName"]: StoredFile(f"id-of-{one['ConfigName']}", one["File"]["Name"], one["Data"])
        for spec in specs
        for one in configs.references(spec)
    }


HUB = "jupyterhub"
# The task of the configuration's check, when it is over: its container has said what `containers.once` says here.
CHECKED = {"Status": {"State": "complete", "ContainerStatus": {"ContainerID": "once"}}}


def deployed(settings: Settings, authority: Authority, secrets: Secrets = SECRETS) -> Hosts:
    """Return the hosts of a cluster on which all steps have been done."""
    hosts = {name: FakeHost(name, _node(name, settings)) for name in NODES}
    chain, _ = authority.issue(settings.hub.domain)
    tag = build.desired(settings).tag
    notebook = f"{settings.notebook.image.rpartition(':')[0]}@{DIGEST}"
    parts = Parts("n1", NETWORK, tag, {settings.notebook.image: notebook}, parse(chain, "").fingerprint, "cluster")
    spec = hub_service.desired(settings, secrets, parts)
    ids = {name: f"id-of-{name}" for name in hub_service.secret_names(settings, secrets, "cluster").values()}
    kept = as_kept(spec, ids)
    name = settings.hub.service
    times = {"CreatedAt": "2026-11-15T10:00:00Z", "UpdatedAt": "2026-11-15T10:00:00Z"}
    hosts[MANAGER].engine.answers |= {
        "GET /nodes": [_listed(host) for host in NODES],
        **_nodes(hosts[MANAGER]),
        "GET /swarm": {"ID": "cluster"},
        "GET /networks": [_network(settings)],
        "GET /services": [],
        "GET /containers/json": [],
        f"GET /volumes/{settings.volume.name}": {"Name": settings.volume.name, "Driver": "local", "Options": None},
        f"GET /images/{tag}/json": {"Id": "sha256:hub"},
        "GET /secrets": [{"ID": id_, "Spec": {"Name": secret}} for secret, id_ in ids.items()],
        f"GET /services/{name}": {"ID": "s1", "Version": {"Index": 42}, **times, "Spec": kept},
        f"GET /services/{firewall.name(name)}": {"ID": "w1", "Version": {"Index": 7}, "Spec": firewall_spec(settings)},
        "GET /tasks": _tasks(hosts[MANAGER], name),
        "POST /services/create": lambda request: {"ID": request.body["Name"]},
        "POST /containers/create": {"Id": "once"},
        "GET /containers/once/logs": [json.dumps({"bytes": 4096, "schema": "4621fec11365", "users": 2}), '{"problems": []}'],
        "POST /containers/once/wait": {"StatusCode": 0},
    }
    first = releases.draft(settings, kept, parts, ())
    configs.create(hosts[MANAGER], f"{name}-release-1", {releases.LABEL: name}, asdict(first))
    configs.ensure(hosts[MANAGER], spec, {LABEL: name})
    hosts[MANAGER].engine.requests.clear()
    live = f"/etc/letsencrypt/live/{settings.hub.domain}/fullchain.pem"
    renewal = f"/etc/letsencrypt/renewal/{settings.hub.domain}.conf"
    hosts[MANAGER].commands |= {
        f"cat {live}": Output(0, chain, ""),
        f"cat {renewal}": Output(0, f"server = {settings.certs.staging_server}\n", ""),
    }
    return hosts


def wipe(hosts: Hosts, settings: Settings) -> None:
    """Take everything off the cluster but the swarm itself; what is made from then on is there."""
    manager = hosts[MANAGER].engine
    was, certificate = manager.answers, dict(hosts[MANAGER].commands)
    image, tag = f"GET /images/{settings.notebook.image}/json", build.desired(settings).tag
    wall = f"GET /services/{firewall.name(settings.hub.service)}"
    loaded = f"GET /images/{firewall_image.tag(settings.hub.service)}/json"
    service_, volume = f"GET /services/{settings.hub.service}", f"GET /volumes/{settings.volume.name}"
    for host in hosts.values():
        held = host.engine.answers.pop(image)
        host.engine.answers.pop(loaded)
        host.engine.answers["POST /images/load"] = _making(host, {loaded: {"Id": FIREWALL_IMAGE}})
        host.engine.answers["GET /version"] = {"Arch": "amd64"}
        host.engine.answers["POST /images/create"] = _making(host, {image: held})
    hosts[MANAGER].commands.clear()
    manager.configs.kept.clear()
    stays = ("GET /info", "GET /volumes", "GET /nodes", "GET /swarm", "GET /services", *_nodes(hosts[MANAGER]))
    for node in was["GET /nodes"]:
        node["Spec"]["Labels"] = {}
    made = {"POST /images/load", "GET /version", "POST /containers/create", "GET /containers/once/logs"}
    made |= {"POST /containers/once/wait", "POST /images/create", "GET /tasks"}
    manager.answers = {call: was[call] for call in (*stays, *made)} | {
        "GET /networks": [],
        "GET /containers/json": [],
        "GET /secrets": lambda _: [
            {"ID": f"id-of-{request.body['Name']}", "Spec": {"Name": request.body["Name"]}}
            for request in manager.requests
            if str(request) == "POST /secrets/create"
        ],
        f"GET /distribution/{settings.notebook.image}/json": {"Descriptor": {"digest": DIGEST}},
        "POST /networks/create": _making(hosts[MANAGER], {"GET /networks": was["GET /networks"]}),
        "POST /volumes/create": _making(hosts[MANAGER], {volume: was[volume]}),
        "POST /containers/once/start": lambda _: hosts[MANAGER].commands.update(certificate),
        "POST /build": _making(hosts[MANAGER], {f"GET /images/{tag}/json": {"Id": "sha256:hub"}}),
        "POST /services/create": _making_services(hosts[MANAGER], {call: was[call] for call in (wall, service_)}),
    }


def _making(host: FakeHost, answers: dict[str, Any]) -> Callable[[Request], list[Any]]:
    """Return how a host answers what makes something: it has it from then on."""

    def make(_: Request) -> list[Any]:
        host.engine.answers |= answers
        return []

    return make


def _making_services(host: FakeHost, made: dict[str, Any]) -> Callable[[Request], dict[str, str]]:
    """Return how a manager answers who creates a service: it has that one from then on."""

    def make(request: Request) -> dict[str, str]:
        name = request.body["Name"]
        if name != services.check(HUB):
            host.engine.answers[f"GET /services/{name}"] = made[f"GET /services/{name}"]
        return {"ID": name}

    return make


def changes(hosts: Hosts) -> list[str]:
    """Return all that was asked of the hosts, is no question, and no note of who has changed what."""
    asked = ((host, request) for host, fake in hosts.items() for request in fake.engine.requests)
    return [f"{host}: {one}" for host, one in asked if one.method != "GET" and not one.path.startswith("/configs")]


def _node(name: str, settings: Settings) -> dict[str, Any]:
    image = settings.notebook.image
    swarm = {"NodeID": NODES[name], "LocalNodeState": "active", "ControlAvailable": name == MANAGER}
    return {
        "GET /info": {"ServerVersion": "29.0.1", "Swarm": swarm, "SystemTime": NOW.isoformat()},
        "GET /volumes": {"Volumes": []},
        f"GET /images/{firewall_image.tag(settings.hub.service)}/json": {"Id": FIREWALL_IMAGE},
        f"GET /images/{image}/json": {"Id": "sha256:nb", "RepoDigests": [f"{image.rpartition(':')[0]}@{DIGEST}"]},
    }


def firewall_spec(settings: Settings) -> dict[str, Any]:
    """Return the spec of the firewall's service, as an engine answers it."""
    hub = settings.hub.service
    rules = firewall_rules.desired(hub, [], [], 4789, settings.firewall.deny)
    servers = wanted_firewall.Servers(settings.network.name, (hub, f"{hub}-proxy"), firewall_rules.isolating(hub))
    kept = as_kept(wanted_firewall.desired(hub, FIREWALL_IMAGE, rules, servers), {})
    kept["TaskTemplate"]["Networks"] = [{"Target": "id-of-host"}]
    return kept


def _tasks(manager: FakeHost, hub: str) -> Callable[[Request], list[dict[str, Any]]]:
    """Return how a manager answers for the tasks of its services as they are: the hub's, and the firewall's on every node."""

    def tasks(request: Request) -> list[dict[str, Any]]:
        names = request.params.get("filters", {}).get("service", [hub])
        return [task for name in names for task in of_service(name)]

    def of_service(name: str) -> list[dict[str, Any]]:
        if name == services.check(hub):
            return [CHECKED]
        found = manager.engine.answers.get(f"GET /services/{name}")
        if found is None:
            raise EngineError(manager.name, 404, f"service {name} not found")
        one = _task(found["Spec"]) | {"ServiceID": found["ID"]}
        return [one] if name == hub else [one | {"ID": f"w-{node}", "NodeID": node} for node in NODES.values()]

    return tasks


def _listed(name: str) -> dict[str, Any]:
    is_manager = name == MANAGER
    return {
        "ID": NODES[name],
        "Version": {"Index": 3},
        "Spec": {"Role": "manager" if is_manager else "worker", "Availability": "active", "Labels": dict(LABELS)},
        "Description": {"Hostname": name},
        "Status": {"State": "ready"},
    } | ({"ManagerStatus": {"Leader": True}} if is_manager else {})


def _nodes(manager: FakeHost) -> dict[str, Any]:
    """Return how a manager answers what is asked of one node, and what changes it: it keeps the change."""

    def node(request: Request) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one for one in manager.engine.answers["GET /nodes"] if one["ID"] == request.path.split("/")[2]
        )
        return found

    def update(request: Request) -> None:
        node(request)["Spec"] = request.body

    return {
        call: answer
        for id_ in NODES.values()
        for call, answer in ((f"GET /nodes/{id_}", node), (f"POST /nodes/{id_}/update", update))
    }


def _network(settings: Settings) -> dict[str, Any]:
    return {
        "Name": settings.network.name,
        "Id": NETWORK,
        "Scope": "swarm",
        "Driver": "overlay",
        "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1"}]},
        "Attachable": False,
        "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097"},
    }


def _task(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "ID": "t1",
        "CreatedAt": "2026-11-15T10:00:01Z",
        "DesiredState": "running",
        "Status": {"State": "running", "Timestamp": "2026-11-15T10:00:01Z"},
        "NodeID": "n1",
        "Spec": spec["TaskTemplate"],
    }
