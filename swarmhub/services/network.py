"""The overlay network that the hub and the notebooks share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.notebooks import servers
from swarmhub.plan import commands
from swarmhub.plan.differences import differences, flat
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.settings import Settings
from swarmhub.wait import until

STEP = "network"
# Docker adds the VXLAN id that it chose to the options.
CHOSEN_BY_DOCKER = "com.docker.network.driver.overlay.vxlanid_list"


@dataclass(frozen=True)
class ExistingNetwork:
    """The network as it is: its id, what of it can be wanted, the services on it, and who works in them."""

    id: str
    fields: dict[str, Any]
    services: tuple[str, ...]
    people: tuple[str, ...] = ()

    @property
    def subnet(self) -> str:
        """Return its addresses."""
        return str(self.fields["IPAM"]["Config"][0]["Subnet"])


def desired(settings: Settings) -> dict[str, Any]:
    """Return the body of the request that makes the network."""
    options = dict(settings.network.options)
    if settings.network.encrypted:
        options["encrypted"] = ""
    return {
        "Name": settings.network.name,
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": settings.network.attachable,
        "Options": options,
        "IPAM": _ipam(settings.network.subnet),
    }


def of_proxy(settings: Settings) -> dict[str, Any]:
    """Return the body of the request that makes the network which only the hub and a separate proxy are on."""
    of_notebooks = desired(settings)
    options = {name: value for name, value in of_notebooks["Options"].items() if name == "encrypted"}
    name = f"{settings.network.name}-proxy"
    return {**of_notebooks, "Name": name, "Attachable": False, "Options": options, "IPAM": _ipam(settings.network.proxy_subnet)}


def _ipam(subnet: str | None) -> dict[str, Any]:
    return {"Driver": "default", "Config": [{"Subnet": subnet}] if subnet else []}


def all_desired(settings: Settings) -> tuple[dict[str, Any], ...]:
    """Return the bodies of the requests that make the networks, that of the notebooks first."""
    return (desired(settings), *([of_proxy(settings)] if settings.proxy.separate else []))


def names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the networks, that of the notebooks first."""
    return tuple(one["Name"] for one in all_desired(settings))


def listed(manager: Host, names: Sequence[str]) -> tuple[Json, ...]:
    """Ask for the networks of some names; longer names are found too."""
    return tuple(manager.engine.get("/networks", filters={"name": list(names)}))


def read(name: str, listed: Sequence[Json], services: Sequence[Json]) -> ExistingNetwork | None:
    """Return the network of exactly this name, and which of the services are on it."""
    answer = next((network for network in listed if network["Name"] == name), None)
    if answer is None:
        return None
    attached = [service for service in services if answer["Id"] in targets(service)]
    names = sorted(service["Spec"]["Name"] for service in attached)
    people = sorted({user for service in attached if (user := servers.user(service))})
    fields = {key: answer.get(key) for key in ("Name", "Driver", "Scope", "Attachable", "Options", "IPAM")}
    fields["Options"] = _options({key: value for key, value in (fields["Options"] or {}).items() if key != CHOSEN_BY_DOCKER})
    return ExistingNetwork(answer["Id"], fields, tuple(names), tuple(people))


def plan(wanted: dict[str, Any], found: ExistingNetwork | None, manager: str, *, recreate: bool = False) -> Plan:
    """Return what makes the network as wanted.

    Raises:
        StepError: it differs and services are on it; only `recreate` stops them. Or it is no network of the swarm.

    """
    name = wanted["Name"]
    if found is None:
        create = Change(
            "create",
            f"network {name}",
            manager,
            _creator(wanted),
            flat(wanted),
            command=commands.network(wanted),
            gist=_gist(wanted),
        )
        return Plan(STEP, "", (create,))
    if (found.fields["Driver"], found.fields["Scope"]) == ("bridge", "local"):
        cause = f"the network {name} is a bridge of this host only, but servers run on every node"
        raise StepError(manager, cause, "Name another one in hosts.toml (network.name); this one stays as it is")
    differs = differences(_comparable(wanted, found), found.fields)
    if not differs:
        return Plan(STEP, f"{name}: {wanted['Driver']}, as wanted")
    if found.services and not recreate:
        fields = "; ".join(f"{item.path} is {item.found!r}, wanted {item.wanted!r}" for item in differs)
        cause = f"network {name} differs ({fields}) and cannot be changed while in use by {', '.join(found.services)}"
        raise StepError(manager, cause, "To stop these services and replace it: fab network --recreate, then fab deploy")
    cost = Cost.NOTEBOOKS_STOP if found.services else Cost.NOTHING
    replace = Change(
        "replace", f"network {name}", manager, _replacer(found, wanted), differs, cost, found.people, _by_hand(found, wanted)
    )
    return Plan(STEP, "", (replace,))


def _gist(wanted: dict[str, Any]) -> str:
    attachable = ["attachable"] if wanted["Attachable"] else []
    options = [f"{name}={value}" if value else name for name, value in wanted["Options"].items()]
    subnets = [f"subnet {part['Subnet']}" for part in wanted["IPAM"]["Config"]]
    return ", ".join([wanted["Driver"], *attachable, *options, *subnets])


def _by_hand(found: ExistingNetwork, wanted: dict[str, Any]) -> str:
    stop = [commands.line("service", "rm", *found.services)] if found.services else []
    return " && ".join([*stop, commands.line("network", "rm", wanted["Name"]), commands.network(wanted)])


def _comparable(wanted: dict[str, Any], found: ExistingNetwork) -> dict[str, Any]:
    """Take over the subnet that Docker chose, where none is wanted."""
    if wanted["IPAM"]["Config"]:
        subnet = wanted["IPAM"]["Config"][0]["Subnet"]
        chosen = [{**part, "Subnet": subnet} for part in found.fields["IPAM"]["Config"] or [{}]]
    else:
        chosen = found.fields["IPAM"]["Config"]
    return {**wanted, "Options": _options(wanted["Options"]), "IPAM": {**found.fields["IPAM"], "Config": chosen}}


def _options(options: dict[str, str]) -> dict[str, str]:
    """Give an option without a value, such as "encrypted", one: it is there all the same."""
    return {name: value or "set" for name, value in options.items()}


def _creator(wanted: dict[str, Any]) -> Any:
    def create(host: Host, progress: Progress) -> None:
        host.engine.post("/networks/create", wanted)

    return create


def _replacer(found: ExistingNetwork, wanted: dict[str, Any]) -> Any:
    def replace(host: Host, progress: Progress) -> None:
        for service in found.services:
            host.engine.delete(f"/services/{service}")
            progress.log(host.name, f"removed service {service}")
        # A network can go only when the last task of a removed service has.
        until(lambda: _tasks_left(host, found.id) == 0, 60, lambda: _stuck(host, wanted["Name"]))
        host.engine.delete(f"/networks/{found.id}")
        until(lambda: host.engine.find(f"/networks/{found.id}") is None, 60, lambda: _stuck(host, wanted["Name"]))
        host.engine.post("/networks/create", wanted)

    return replace


def _tasks_left(host: Host, network: str) -> int:
    """Count the tasks that hold the network; those of a removed service are listed until they have ended."""
    tasks: Sequence[Json] = host.engine.get("/tasks")
    return sum(
        task["Status"]["State"] in HOLDING
        for task in tasks
        if network in {attached["Network"]["ID"] for attached in task.get("NetworksAttachments") or []}
    )


def _stuck(host: Host, name: str) -> StepError:
    return StepError(host.name, f"network {name} is still in use after a minute", f"See: docker network inspect {name}")


def targets(service: Json) -> set[str]:
    """Return the ids of the networks that a service is on."""
    spec = service["Spec"]
    networks = spec["TaskTemplate"].get("Networks") or spec.get("Networks") or []
    return {network["Target"] for network in networks}
