"""The hub's services on another node: the hub with the last of its data, then the filter; then those that can wait."""

import copy
import time as clock
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hub.shared import services
from swarmhub.engine.swarm import converge, replicated, specs
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.engine.swarm.specs import PINNED
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.move import parcels
from swarmhub.move.parcels import Parcel
from swarmhub.plan import commands
from swarmhub.plan.plans import Change, Cost, Progress
from swarmhub.wait import until

STOP_SECONDS = 60


def pinned(listed: Sequence[Json], hub: str, node: str) -> list[Json]:
    """Return the services of a hub that are pinned to a node: the hub first, then its filter, then the others."""
    order = {hub: 0, services.engine(hub): 1}
    ours = [one for one in listed if (one["Spec"].get("Labels") or {}).get(LABEL) == hub and specs.pinned(one["Spec"]) == node]
    return sorted(ours, key=lambda one: (order.get(one["Spec"]["Name"], 2), one["Spec"]["Name"]))


def images(listed: Sequence[Json]) -> list[str]:
    """Return the images of services, each once."""
    return list(dict.fromkeys(one["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] for one in listed))


def published(listed: Sequence[Json]) -> list[int]:
    """Return the ports that services take on the node that they run on."""
    ports = [port for one in listed for port in (one["Spec"].get("EndpointSpec") or {}).get("Ports") or []]
    return [port["PublishedPort"] for port in ports if port.get("PublishMode") == "host"]


def repinned(spec: Json, node: str) -> Json:
    """Return a service's spec for another node, and else as it is."""
    new: Json = copy.deepcopy(spec)
    places = [f"{PINNED}{node}" if one.startswith(PINNED) else one for one in specs.places(spec)]
    new["TaskTemplate"]["Placement"]["Constraints"] = places
    return new


@dataclass(frozen=True)
class Way:
    """From where to where the hub goes: hosts, and their nodes' ids; `time` names what is set aside."""

    source: Host
    target: Host
    from_node: str
    to_node: str
    time: str


def hub_change(way: Way, hub: Json, of_filter: Json | None, data: Parcel | None) -> Change:
    """Return what takes the hub over; people whose servers run go on."""
    name = hub["Spec"]["Name"]
    what = f"service {name} from {way.source.name}"
    gist = f"it stops there, the last of its data come here, and it starts here; if it does not, {way.source.name} has it again"
    act = _HubMover(way, name, of_filter["Spec"]["Name"] if of_filter else "", data)
    command = _command(hub, way)
    return Change("move", what, way.target.name, act, cost=Cost.HUB_RESTART, gist=gist, command=command)


def change(way: Way, found: Json) -> Change:
    """Return what takes over a service that the hub can be without for a while; one that people connect to costs that."""
    has_ports = bool((found["Spec"].get("EndpointSpec") or {}).get("Ports"))
    cost = Cost.RECONNECT if has_ports else Cost.NOTHING
    name = found["Spec"]["Name"]
    return Change(
        "move",
        f"service {name} from {way.source.name}",
        way.target.name,
        _Mover(way, name),
        cost=cost,
        command=_command(found, way),
    )


def renewal_change(way: Way, found: Json, certificate: Parcel, image: str) -> Change:
    """Return what takes over the renewal of the certificate, with what it has done since the certificate was copied."""
    name = found["Spec"]["Name"]
    what, act = f"service {name} from {way.source.name}", _RenewalMover(way, name, certificate, image)
    gist = "it stops there, what certbot has comes here, and it starts here"
    return Change("move", what, way.target.name, act, gist=gist, command=_command(found, way))


def _command(found: Json, way: Way) -> str:
    words = ("--constraint-rm", f"{PINNED}{way.from_node}", "--constraint-add", f"{PINNED}{way.to_node}")
    return commands.line("service", "update", *words, found["Spec"]["Name"])


@dataclass(frozen=True)
class _Mover:
    way: Way
    name: str

    def __call__(self, host: Host, progress: Progress) -> None:
        try:
            _pin(host, self.name, self.way.to_node, progress)
            _arrive(host, self.name, self.way.from_node, progress)
        except BaseException:
            _pin(host, self.name, self.way.from_node, progress)
            raise


@dataclass(frozen=True)
class _RenewalMover:
    way: Way
    name: str
    certificate: Parcel
    image: str

    def __call__(self, host: Host, progress: Progress) -> None:
        way, spec = self.way, host.engine.get(f"/services/{self.name}")["Spec"]
        try:
            self._send({**spec, "Mode": {"Replicated": {"Replicas": 0}}}, host, progress)
            _leave(host, self.name, way.from_node)
            parcels.carry(way.source, way.target, self.certificate, self.image, progress, time=way.time)
            self._send({**repinned(spec, way.to_node), "Mode": {"Replicated": {"Replicas": 1}}}, host, progress)
            converge.wait(host, self.name, progress)
        except BaseException:
            self._send(spec, host, progress)
            raise

    def _send(self, spec: Json, host: Host, progress: Progress) -> None:
        replicated.send(spec, host.engine.get(f"/services/{self.name}"), host, progress)


@dataclass(frozen=True)
class _HubMover:
    way: Way
    hub: str
    filter: str
    data: Parcel | None

    def __call__(self, host: Host, progress: Progress) -> None:
        """Move the hub, or let it go on where it was, whatever comes between.

        Its new task waits until the data are whole (hub/config/data.py), and ends where they do not come: then Swarm itself
        goes back to the node before, though nobody is there any more to ask for it.
        """
        way, began = self.way, clock.monotonic()
        image = ""
        try:
            image = _pin(host, self.hub, way.to_node, progress)
            _leave(host, self.hub, way.from_node)
            if self.data:
                parcels.carry(way.source, way.target, self.data, image, progress, time=way.time, is_last=True)
            if self.filter:
                _pin(host, self.filter, way.to_node, progress)
                _arrive(host, self.filter, way.from_node, progress)
            converge.wait(host, self.hub, progress)
        except BaseException:
            self._go_back(host, image, progress)
            raise
        progress.log(host.name, f"the hub was away for {clock.monotonic() - began:.1f} s")

    def _go_back(self, host: Host, image: str, progress: Progress) -> None:
        """Let the hub go on where it was; no hub is to start with what has come here."""
        way = self.way
        try:
            for name in filter(None, (self.filter, self.hub)):
                _pin(host, name, way.from_node, progress)
        except (EngineError, StepError):
            told = f"in some minutes the hub goes on by itself: here if all of its data came, else on {way.source.name}"
            progress.log(host.name, f"the swarm cannot be told; {told}")
            return
        progress.log(host.name, f"the hub goes back to {way.source.name}")
        # What kept it from coming up here is the error to tell.
        with suppress(StepError):
            _arrive(host, self.hub, way.to_node, progress)
            if self.data and image:
                parcels.set_aside(way.target, self.data, image, progress, to=way.source.name, time=way.time)


def _leave(host: Host, name: str, node: str) -> None:
    """Return when a service that was sent elsewhere runs no more on a node."""

    def has_left() -> bool:
        tasks = converge.tasks(host, name)
        return not any(one.get("NodeID") == node and one["Status"]["State"] in HOLDING for one in tasks)

    until(
        has_left, STOP_SECONDS, lambda: StepError(host.name, f"service {name} does not stop", f"See: docker service ps {name}")
    )


def _arrive(host: Host, name: str, node: str, progress: Progress) -> None:
    """Return when a service runs where it was sent: until the task before has ended, that one seems to be what is wanted."""
    _leave(host, name, node)
    converge.wait(host, name, progress)


def _pin(host: Host, name: str, node: str, progress: Progress) -> str:
    """Send a service to a node, as it is, unless it is pinned there already; return its image."""
    found = host.engine.get(f"/services/{name}")
    if specs.pinned(found["Spec"]) != node:
        replicated.send(repinned(found["Spec"], node), found, host, progress)
    return str(found["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
