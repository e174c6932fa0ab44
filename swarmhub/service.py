"""The hub's service: created or updated only where it differs, with its secrets."""

import base64
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import SecretStr

from hub import mounts
from hub.filter import policy
from swarmhub import commands, converge, handed, health, images, specs, subdomains, swarm_config
from swarmhub.certbot import FOLDER
from swarmhub.certs import CHAIN, KEY, place
from swarmhub.converge import HOLDING
from swarmhub.differences import Difference, flat
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.plan import Change, Cost, Plan, Progress
from swarmhub.secrets import Secrets, swarm_name
from swarmhub.settings import Settings
from swarmhub.wait import until

STEP = "service"
LABEL = "swarmhub.service"
CERTIFICATE_LABEL = "swarmhub.certificate"
IN_ENVIRONMENT = "OAUTH_CALLBACK_URL"
SECOND = 1_000_000_000
STOP_SECONDS = 60
SOCKET = "/var/run/docker.sock"
# It waits for a hub that is starting: Docker asks every two seconds only, and from the first answer on people get in.
HEALTHY = "until curl --fail --silent --max-time 2 --output /dev/null http://127.0.0.1:8081/hub/health; do sleep 0.1; done"


@dataclass(frozen=True)
class Parts:
    """What the service stands on, as the steps before it left it.

    `images` maps each image of the settings to the reference that names exactly it on every node.
    """

    node: str
    network: str
    hub_image: str
    images: Mapping[str, str]
    certificate: str
    cluster: str
    proxy_image: str = ""
    proxy_network: str = ""
    proxy_subnet: str = ""


@dataclass(frozen=True)
class Found:
    """The service as it is, and the Swarm secrets that were made for it, by name."""

    service: Json | None
    secrets: Mapping[str, str]


def observe(manager: Host, name: str) -> Found:
    """Ask for the service and its secrets."""
    secrets = manager.engine.get("/secrets", filters={"label": [f"{LABEL}={name}"]})
    return Found(
        manager.engine.find(f"/services/{name}"),
        {secret["Spec"]["Name"]: secret["ID"] for secret in secrets},
    )


def images_of_others(manager: Host, settings: Settings) -> set[str]:
    """Return the images of the other hubs on the swarm, by their short digests."""
    hubs = manager.engine.get("/services", filters={"label": [LABEL]})
    return {digest for hub in hubs if hub["Spec"]["Name"] != settings.hub.service for digest in images_of(hub["Spec"])}


def images_of(spec: Json) -> set[str]:
    """Return the images that a hub's service hands out, by their short digests."""
    handed_out = handed.images(specs.environment(spec["TaskTemplate"]["ContainerSpec"]).get(handed.VARIABLE, ""))
    return {images.short(images.digest_of(image)) for image in handed_out}


def secret_names(settings: Settings, secrets: Secrets, cluster: str) -> dict[str, str]:
    """Map the names of the secrets that are mounted to their names in the swarm."""
    service = settings.hub.service
    return {name: swarm_name(service, name, value, cluster) for name, value in mounted(secrets).items()}


def mounted(secrets: Secrets) -> Secrets:
    """Return the secrets that the hub reads from files."""
    return {name: value for name, value in secrets.items() if name != IN_ENVIRONMENT}


def desired(settings: Settings, secrets: Secrets, parts: Parts) -> dict[str, Any]:
    """Return the service's whole spec; the ids of its secrets are filled in when it is sent."""
    hub, is_alone = settings.hub, not settings.proxy.separate
    callback = secrets[IN_ENVIRONMENT].get_secret_value()
    # Where homes are folders of a path or a file server, the hub makes those that are missing.
    above = mounts.above_homes(settings.home.model_dump(), hub.service)
    environment = {
        **_proxy_environment(settings),
        **({"DOCKER_HOST": f"unix://{policy.SOCKET}"} if hub.engine == "filter" else {}),
        "DOCKER_NETWORK_NAME": settings.network.name,
        "DOCKER_SERVICE_NAME": hub.service,
        "DOCKER_ENDPOINT_MODE": settings.network.endpoint_mode,
        "GITHUB_URL": settings.github.web_url,
        "GITHUB_API": settings.github.api_url,
        "OAUTH_CALLBACK_URL": callback,
        **subdomains.environment(settings, health.url(callback)),
        handed.VARIABLE: handed.document(settings, parts.images),
    }
    container = {
        "Image": parts.hub_image,
        # JupyterHub's proxy cannot reload a certificate: a new one changes this label, and that restarts the hub.
        "Labels": {CERTIFICATE_LABEL: parts.certificate} if is_alone else {},
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Mounts": [
            # live/ holds links into archive/: the whole folder or nothing.
            *([{"Type": "bind", "Source": FOLDER, "Target": FOLDER, "ReadOnly": True}] if is_alone else []),
            {"Type": "volume", "Source": settings.volume.name, "Target": "/data"},
            _engine_mount(settings),
            *([above] if above else []),
        ],
        "Secrets": [reference(name, in_swarm) for name, in_swarm in secret_names(settings, secrets, parts.cluster).items()],
        **capabilities(*(("CHOWN", "DAC_OVERRIDE", "FOWNER") if above else ())),
        "Healthcheck": healthcheck(HEALTHY),
        "StopGracePeriod": 20 * SECOND,
    }
    return {
        "Name": hub.service,
        "Labels": {LABEL: hub.service},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": on_manager(parts.node),
            "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND},
            "Networks": [{"Target": target} for target in (parts.network, parts.proxy_network) if target],
        },
        **rollout(),
        "EndpointSpec": {
            "Mode": settings.network.endpoint_mode,
            **({"Ports": [port(443, hub.port, hub.publish)]} if is_alone else {}),
        },
    }


def capabilities(*kept: str) -> dict[str, list[str]]:
    """Return what leaves a container's root without capabilities, but for those."""
    return {"CapabilityDrop": ["ALL"], **({"CapabilityAdd": [f"CAP_{name}" for name in kept]} if kept else {})}


def engine_volume(hub: str) -> str:
    """Return the name of the volume in which the filter offers its socket."""
    return f"{hub}-engine"


def _engine_mount(settings: Settings) -> dict[str, Any]:
    if settings.hub.engine == "socket":
        return {"Type": "bind", "Source": SOCKET, "Target": SOCKET}
    # Who breaks into the hub could otherwise put another socket there.
    return {"Type": "volume", "Source": engine_volume(settings.hub.service), "Target": policy.FOLDER, "ReadOnly": True}


def _proxy_environment(settings: Settings) -> dict[str, str]:
    if settings.proxy.separate:
        # By its name on the network that notebooks are not on.
        return {"PROXY_API_URL": f"http://{settings.hub.service}-proxy-api:8001"}
    return {"SSL_KEY": place(settings, KEY), "SSL_CERT": place(settings, CHAIN)}


def on_manager(node: str) -> dict[str, Any]:
    """Return the placement of what needs the manager's own files, by the id of its node."""
    return {"Constraints": ["node.role==manager", f"node.id=={node}"]}


def healthcheck(script: str) -> dict[str, Any]:
    """Return how Docker asks a container of ours whether it is well."""
    times = {"Interval": 2 * SECOND, "Timeout": 5 * SECOND, "StartPeriod": 60 * SECOND}
    return {"Test": ["CMD-SHELL", script], **times, "Retries": 5}


def rollout() -> dict[str, Any]:
    """Return how a service with one replica is replaced.

    Two hubs must never have the database open, and a port is taken until the old task is gone.
    """
    how = {"Parallelism": 1, "Monitor": 2 * SECOND, "Order": "stop-first"}
    return {
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {**how, "FailureAction": "rollback"},
        "RollbackConfig": {**how, "FailureAction": "pause"},
    }


def port(inside: int, outside: int, publish: str) -> dict[str, Any]:
    """Return a published port."""
    return {"Protocol": "tcp", "TargetPort": inside, "PublishedPort": outside, "PublishMode": publish}


def plan(wanted: dict[str, Any], found: Found, secrets: Secrets, names: Mapping[str, str], manager: str) -> Plan:
    """Return the secrets that are missing, then the service if it differs, then the secrets that are left over.

    Raises:
        StepError: the service is pinned to another node, which holds its data.

    """
    name = wanted["Name"]
    missing = [short for short, in_swarm in names.items() if in_swarm not in found.secrets]
    changes = [secret(short, names[short], secrets[short], name, manager) for short in missing]
    if found.service is None:
        changes.append(create(wanted, manager))
    else:
        _refuse_to_move(wanted, found.service, manager)
    differs = specs.compare(wanted, found.service["Spec"]) if found.service else ()
    if found.service and differs:
        changes.append(update(wanted, found.service, manager, differs))
    stale = [(left, id_) for left, id_ in found.secrets.items() if left not in names.values()]
    changes += [secret_removal(left, id_, manager) for left, id_ in stale]
    return Plan(STEP, f"{name}: {wanted['TaskTemplate']['ContainerSpec']['Image']}, as wanted", tuple(changes))


def secret(short: str, in_swarm: str, value: SecretStr, hub: str, manager: str) -> Change:
    """Return what makes a secret of a hub."""
    command = commands.secret(short, in_swarm, f"{LABEL}={hub}")
    return Change("create", f"secret {in_swarm}", manager, _SecretMaker(in_swarm, value, hub), command=command)


def secret_removal(name: str, id_: str, manager: str) -> Change:
    """Return what removes a secret."""
    return Change("remove", f"secret {name}", manager, _SecretRemover(id_), command=commands.line("secret", "rm", name))


def create(wanted: dict[str, Any], manager: str) -> Change:
    """Return what makes a service."""
    command = commands.service_create(wanted)
    return Change("create", f"service {wanted['Name']}", manager, _Sender(wanted, None), flat(wanted), command=command)


def stop(found: Json, manager: str) -> Change:
    """Return what stops the hub and keeps its service; an update starts it again."""
    name = found["Spec"]["Name"]
    command = commands.line("service", "scale", f"{name}=0")
    return Change("stop", f"service {name}", manager, _Stopper(found), cost=Cost.HUB_RESTART, command=command)


def update(
    wanted: dict[str, Any], found: Json, manager: str, differs: tuple[Difference, ...], *, is_stopped: bool = False
) -> Change:
    """Return what turns the service into the wanted one; it may have been stopped since it was `found`."""
    cost = Cost.HUB_RESTART if any(_restarts(item.path) for item in differs) else Cost.NOTHING
    command = commands.service_update(wanted, found["Spec"])
    what = f"service {wanted['Name']}"
    if not any(item.path.startswith("TaskTemplate") for item in differs):
        # Swarm starts a new task for a template that only says the same in other words.
        wanted = {**wanted, "TaskTemplate": found["Spec"]["TaskTemplate"]}
    return Change("update", what, manager, _Sender(wanted, found, is_stopped), differs, cost, command=command)


def removal(found: Json, manager: str, cost: Cost = Cost.NOTHING) -> Change:
    """Return what removes a service."""
    name = found["Spec"]["Name"]
    command = commands.line("service", "rm", name)
    return Change("remove", f"service {name}", manager, partial(_remove, found["ID"]), cost=cost, command=command)


def _remove(id_: str, host: Host, _: Progress) -> None:
    host.engine.delete(f"/services/{id_}")


def _refuse_to_move(wanted: dict[str, Any], service: Json, manager: str) -> None:
    pinned = [item for item in _constraints(service["Spec"]) if item.startswith("node.id==")]
    if pinned and pinned[0] not in _constraints(wanted):
        cause = f"the hub runs on another node ({pinned[0]}), where its database and certificate are"
        remedy = "Name that manager with -H, or move the volume and /etc/letsencrypt here and remove the service first"
        raise StepError(manager, cause, remedy)


def _constraints(spec: Json) -> list[str]:
    return (spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or []


def _restarts(path: str) -> bool:
    return path.startswith(("TaskTemplate", "EndpointSpec", "Mode"))


def reference(name: str, in_swarm: str) -> dict[str, Any]:
    """Return how a secret is mounted."""
    return {"SecretName": in_swarm, "File": {"Name": name, "UID": "0", "GID": "0", "Mode": 0o400}}


@dataclass(frozen=True)
class _SecretMaker:
    name: str
    value: SecretStr
    service: str

    def __call__(self, host: Host, progress: Progress) -> None:
        data = base64.b64encode(self.value.get_secret_value().encode()).decode()
        host.engine.post("/secrets/create", {"Name": self.name, "Data": data, "Labels": {LABEL: self.service}})


@dataclass(frozen=True)
class _SecretRemover:
    id: str

    def __call__(self, host: Host, progress: Progress) -> None:
        host.engine.delete(f"/secrets/{self.id}")


@dataclass(frozen=True)
class _Sender:
    wanted: dict[str, Any]
    found: Json | None
    is_stopped: bool = False

    def __call__(self, host: Host, progress: Progress) -> None:
        name = self.wanted["Name"]
        spec = copy.deepcopy(self.wanted)
        ids = observe(host, self.wanted["Labels"][LABEL]).secrets
        for reference in spec["TaskTemplate"]["ContainerSpec"].get("Secrets") or []:
            reference["SecretID"] = ids[reference["SecretName"]]
        if references := spec["TaskTemplate"]["ContainerSpec"].get("Configs"):
            configs = swarm_config.ids(host)
            for reference in references:
                reference["ConfigID"] = configs[reference["ConfigName"]]
        if self.found is None:
            host.engine.post("/services/create", spec)
        else:
            spec["TaskTemplate"]["ForceUpdate"] = self.found["Spec"]["TaskTemplate"].get("ForceUpdate", 0)
            # The version it was planned on: somebody else's update in between makes this one fail.
            found = host.engine.get(f"/services/{name}") if self.is_stopped else self.found
            host.engine.post(f"/services/{found['ID']}/update", spec, version=found["Version"]["Index"])
        converge.wait(host, name, progress)


@dataclass(frozen=True)
class _Stopper:
    found: Json

    def __call__(self, host: Host, progress: Progress) -> None:
        name, spec = self.found["Spec"]["Name"], copy.deepcopy(self.found["Spec"])
        spec["Mode"] = {"Replicated": {"Replicas": 0}}
        host.engine.post(f"/services/{self.found['ID']}/update", spec, version=self.found["Version"]["Index"])

        def is_down() -> bool:
            tasks = host.engine.get("/tasks", filters={"service": [name]})
            return not any(task["Status"]["State"] in HOLDING for task in tasks)

        until(is_down, STOP_SECONDS, lambda: StepError(host.name, f"service {name} does not stop", f"docker service ps {name}"))
