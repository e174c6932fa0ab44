"""One transfer: a network for as long as it takes, a container on every node that takes part, and what they say."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

from hub.shared import services
from swarmhub.engine import containers
from swarmhub.engine.removal import Thing, remove_ours, remove_soon
from swarmhub.engine.swarm import replicated
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.parallel import at_once
from swarmhub.plan.plans import Progress
from swarmhub.transfer import layers, program
from swarmhub.transfer.layers import Image, Part

SOCKET = "/var/run/docker.sock"
BLOBS, JOB = "/blobs", "/job.json"
# A node says every second that it is there.
PATIENCE_SECONDS = 60
FULL = "no space left on device"
FOREIGN = "exec format error"


@dataclass(frozen=True)
class Cluster:
    """Where images are brought: by a manager, whose `python` is the hub's image, over a network with these options."""

    manager: Host
    hosts: Mapping[str, Host]
    hub: str
    python: str
    options: Mapping[str, str]
    # The network and the volumes are for one transfer at a time.
    lock: Lock = field(default_factory=Lock, compare=False)

    @property
    def name(self) -> str:
        """Return the name of the network, and of the volume on each node."""
        return services.transfer(self.hub)


@dataclass(frozen=True)
class Load:
    """What is brought: an image as the source holds it, the tag that it gets, and what each of the other nodes lacks."""

    name: str
    image: Image
    source: str
    parts: Mapping[str, Part]


class Outcome:
    """How each node's part has ended: in their order."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._open, self._lock = set(hosts), Lock()
        self.errors: dict[str, StepError] = {}

    def settle(self, host: str, error: StepError | None = None) -> None:
        """Take note that a node has the image, or why not; the first word counts."""
        with self._lock:
            if host in self._open and error:
                self.errors[host] = error
            self._open.discard(host)

    def is_open(self, host: str) -> bool:
        """Tell whether a node has not ended yet."""
        return host in self._open

    @property
    def is_over(self) -> bool:
        """Tell whether none needs the others any more."""
        return not self._open


def carry(cluster: Cluster, load: Load, progress: Progress) -> dict[str, StepError]:
    """Bring an image to all nodes at once, and return what went wrong on which.

    Raises:
        StepError: the source or the manager fails.

    """
    order = [load.source, *layers.in_order(load.parts)]
    ids = program.ensure(cluster.manager, cluster.python, cluster.hub, [cluster.hosts[host] for host in order])
    failed = {host: one for host, one in ids.items() if isinstance(one, StepError)}
    if load.source in failed:
        raise failed[load.source]
    taking = [host for host in order if host not in failed]
    if taking == [load.source]:
        return failed
    outcome, token = Outcome(taking), secrets.token_hex(16)
    with _network(cluster):
        jobs = [partial(_take_part, cluster, load, taking, host, str(ids[host]), token, outcome, progress) for host in taking]
        at_once(jobs, most=len(jobs))
    failed |= outcome.errors
    _tidy(cluster, [host for host in taking if host not in failed and (host != load.source or not failed)])
    return failed


@contextmanager
def _network(cluster: Cluster) -> Iterator[None]:
    """Make the network, and remove it in the end; what a run has left that was killed, too."""
    engine, thing = cluster.manager.engine, Thing(f"network {cluster.name}", f"/networks/{cluster.name}")
    remove_ours(cluster.manager, thing, replicated.LABEL, cluster.hub)
    body = {
        "Driver": "overlay",
        "Attachable": True,
        "Options": dict(cluster.options),
        "Labels": {replicated.LABEL: cluster.hub},
    }
    engine.post("/networks/create", {"Name": cluster.name, **body})
    try:
        yield
    finally:
        remove_soon(cluster.manager, thing)


def _take_part(
    cluster: Cluster,
    load: Load,
    order: Sequence[str],
    host: str,
    image: str,
    token: str,
    outcome: Outcome,
    progress: Progress,
) -> None:
    """Run a node's part until no node needs it any more."""
    at = cluster.hosts[host]
    try:
        files = {**program.files(), JOB.lstrip("/"): json.dumps(job(load, order, host, token, cluster.name)).encode()}
        with containers.made(at, body(cluster, image, order.index(host)), files, 0o600) as container:
            at.engine.post(f"/containers/{container}/start")
            _listen(at, container, load, outcome, progress)
    except EngineError as error:
        outcome.settle(host, _error(host, error.message))
    except StepError as error:
        outcome.settle(host, error)
    finally:
        outcome.settle(host)


def _listen(host: Host, container: str, load: Load, outcome: Outcome, progress: Progress) -> None:
    """Follow what a node says."""
    whole, last = _expected(load, host.name), "it says nothing"
    for line in host.engine.logs(f"/containers/{container}/logs", follow=True, patience=PATIENCE_SECONDS):
        said = _read(line)
        last = line if said is None else last
        if error := (said or {}).get("error"):
            outcome.settle(host.name, _error(host.name, str(error)))
        elif (said or {}).get("state") == "ready" and outcome.is_open(host.name):
            if host.name != load.source:
                _verify(host, load)
            outcome.settle(host.name)
        elif said and host.name != load.source:
            done = whole if said.get("state") else int(said.get("done", 0))
            progress.amount(host.name, done, max(whole, done))
        if outcome.is_over:
            return
    outcome.settle(host.name, _error(host.name, f"the program that brings it has ended: {last}"))


def _read(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _expected(load: Load, host: str) -> int:
    """Return about how many bytes a node gets."""
    base = load.parts[host].base if host in load.parts else None
    return max(load.image.size - (base.size if base else 0), 0)


def _verify(host: Host, load: Load) -> None:
    found = layers.find(host, load.name or load.image.id)
    if found is None or found.layers != load.image.layers:
        raise _error(host.name, f"its engine has taken {load.name}, and has another image by that name")


def _error(host: str, cause: str) -> StepError:
    if FOREIGN in cause.lower():
        said = "the program that brings images is the manager's Python, which this processor cannot run"
        return StepError(host, said, "Bring the image by a registry, or by hand: docker save, docker load")
    remedy = "what has arrived is not sent again"
    if FULL in cause.lower():
        return StepError(
            host, f"cannot keep the image: {FULL}", f"Free some disk there (docker system df) and run this again: {remedy}"
        )
    return StepError(host, cause, f"Run this again: {remedy}")


def _tidy(cluster: Cluster, hosts: Sequence[str]) -> None:
    """Remove what was kept of the layers; where the transfer is to go on, it stays."""
    volume = Thing(f"volume {cluster.name}", f"/volumes/{cluster.name}")
    at_once([partial(remove_ours, cluster.hosts[host], volume, replicated.LABEL, cluster.hub) for host in hosts])


def job(load: Load, order: Sequence[str], host: str, token: str, network: str) -> dict[str, Json]:
    """Return what a node is told; `order` begins with the source."""
    at, parts = order.index(host), [load.parts[one] for one in order[1:]]
    part = load.parts[host] if at else Part(layers.most(parts))
    own = load.image.layers[: len(load.image.layers) - len(part.missing)] if part.in_containerd else ()
    return {
        "token": token,
        "socket": SOCKET,
        "network": network,
        "before": [[alias(one), order[one]] for one in reversed(range(at))],
        "image": load.image.id,
        "config": f"config-{load.image.id.removeprefix('sha256:')}",
        "name": load.name,
        "layers": list(load.image.layers),
        "wanted": list(dict.fromkeys(part.missing)),
        # An engine that has containerd keep its layers wants them all again; one that an image has twice comes once.
        "own": [one for one in dict.fromkeys(own) if one not in part.missing],
        "base": part.base.id if part.base else "",
        "base_layers": list(part.held),
    }


def alias(place: int) -> str:
    """Return the name by which the others find a node."""
    return f"n{place}"


def body(cluster: Cluster, image: str, place: int) -> dict[str, Any]:
    """Return the request for a node's container. It is root, whose the engine's socket is, and has nothing else of root's."""
    volume = {
        "Type": "volume",
        "Source": cluster.name,
        "Target": BLOBS,
        "VolumeOptions": {"Labels": {replicated.LABEL: cluster.hub}},
    }
    return {
        "Image": image,
        "Entrypoint": [*program.COMMAND, JOB, BLOBS],
        "Env": program.ENVIRONMENT,
        "User": "0",
        "Labels": program.LABELS,
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": cluster.name,
            "Mounts": [{"Type": "bind", "Source": SOCKET, "Target": SOCKET}, volume],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["label=disable", "no-new-privileges"],
            # The log is read whatever the engine's own driver is.
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        },
        "NetworkingConfig": {"EndpointsConfig": {cluster.name: {"Aliases": [alias(place)]}}},
    }
