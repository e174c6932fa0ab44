"""Taking over a hub that somebody made by hand: what it is, who is in it, and what becomes of it."""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from swarmhub.deploy.by_hand import standalone
from swarmhub.deploy.by_hand.standalone import Standalone
from swarmhub.engine.swarm import converge, replicated, specs
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.history import database
from swarmhub.history.database import Database, DatabasePeople
from swarmhub.host import Host, Json
from swarmhub.notebooks import servers
from swarmhub.plan.plans import Change, Cost, Progress
from swarmhub.plan.shown import named
from swarmhub.services import network


@dataclass(frozen=True)
class ByHand:
    """A hub without our label, as a service or as a container; the servers that it has started; the users in its database."""

    service: Json | None
    servers: tuple[Json, ...]
    containers: Standalone
    people: DatabasePeople


def observe(manager: Host, node: str, service: Json | None, containers: Standalone, data: Database) -> ByHand | None:
    """Ask for what a hub made by hand has; None where there is no hub, or one of ours.

    `node` is the manager's id; `data` is where the database is, and an image that can read it.

    Raises:
        StepError: the service is no JupyterHub, it runs on another node, its database cannot be read, or something else has it.

    """
    if service is None:
        standalone.refuse_others(containers, data.volume, manager.name)
    else:
        containers = standalone.in_the_way(containers)
    is_by_hand = service is not None and LABEL not in (service["Spec"].get("Labels") or {})
    if service and is_by_hand:
        require_hub(service, manager.name)
        _require_here(service, converge.tasks(manager, service["Spec"]["Name"]), node, manager.name)
        image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0]
        people = database.people(manager, data if data.image else replace(data, image=image))
        return ByHand(service, _started(manager, service), containers, people)
    if not (containers.hubs or containers.servers):
        return None
    able = data if data.image else replace(data, image=standalone.image(containers))
    return ByHand(None, (), containers, database.people(manager, able) if able.image else DatabasePeople((), ()))


def require_hub(service: Json, manager: str) -> None:
    """Make sure that a service is a JupyterHub.

    Raises:
        StepError: it is something else; the message tells its image and labels.

    """
    spec = service["Spec"]
    container = spec["TaskTemplate"]["ContainerSpec"]
    words = [*(container.get("Command") or []), *(container.get("Args") or [])]
    if standalone.is_hub(container["Image"], words, specs.environment(container)):
        return
    labels = ", ".join(f"{name}={value}" for name, value in (spec.get("Labels") or {}).items()) or "none"
    cause = f"the service {spec['Name']} is no JupyterHub: image {container['Image'].partition('@')[0]}, labels {labels}"
    raise StepError(manager, cause, "Give the hub another name (hub.service in hosts.toml), or remove that service")


def _require_here(service: Json, tasks: Sequence[Json], node: str, manager: str) -> None:
    """Make sure that the hub runs on the manager in use: its volume and certificate are where it runs."""
    elsewhere = [one for one in tasks if one["Status"]["State"] == "running" and one.get("NodeID") != node]
    if elsewhere:
        cause = f"{service['Spec']['Name']}, made by hand, runs on another node ({elsewhere[0]['NodeID']})"
        raise StepError(manager, cause, "Its volume and certificate are there: name that manager with -H")


def _started(manager: Host, hub: Json) -> tuple[Json, ...]:
    """Return the servers that a hub of the stock SwarmSpawner has started: on its networks, and of a user."""
    on = network.targets(hub)
    found = [one for one in manager.engine.get("/services") if network.targets(one) & on]
    return tuple(one for one in found if _user(one) and servers.LABEL not in (one["Spec"].get("Labels") or {}))


def _user(service: Json) -> str:
    return specs.environment(service["Spec"]["TaskTemplate"]["ContainerSpec"]).get(servers.USER, "")


def adopting(found: ByHand | None, hub: str, gist: str, manager: str) -> list[Change]:
    """Return what makes the hub ours; the `gist` is what `told` says."""
    if found is None:
        return []
    stopped = standalone.taking(found.containers, hub, manager, gist)
    if found.service is None:
        return stopped
    name = found.service["Spec"]["Name"]
    adopt = partial(_adopt, name)
    return [Change("take over", f"service {name}, made by hand,", manager, adopt, cost=Cost.TAKEOVER, gist=gist), *stopped]


def stopping(found: ByHand | None, manager: str) -> list[Change]:
    """Return what stops the servers that the hub before has started: neither the new hub nor its filter knows them."""
    if found is None:
        return []
    services = [
        replace(
            replicated.removal("service", one["Spec"]["Name"], one["ID"], manager, Cost.NOTEBOOKS_STOP),
            verb="stop",
            people=(_user(one),),
        )
        for one in found.servers
    ]
    return [*services, *standalone.stopping(found.containers, manager)]


def told(found: ByHand, console: bool, listed: Collection[str], nobodys: Sequence[str]) -> str:
    """Return who may log in because the database knows them, if that is how it is, and which volumes are nobody's home.

    `console` tells whether the database lets people in, `listed` are the names in the userlist.
    """
    left = f"; no user name fits these volumes, and they stay as they are: {_names(nobodys, ())}" if nobodys else ""
    return _who(found.people, console, listed) + left


def _who(people: DatabasePeople, console: bool, listed: Collection[str]) -> str:
    count = len(people.names)
    known = f"its database knows {count} user{'s' if count != 1 else ''}: {_names(people.names, people.admins)}"
    others = [one for one in people.names if one not in listed]
    if not others:
        return f"{known}; the userlist names them all"
    how = "may log in because the database knows them" if console else "may not log in, since access.console is false"
    return f"{known}; not in the userlist, and {how}: {_names(others, people.admins)}"


def _names(names: Sequence[str], admins: Sequence[str]) -> str:
    return named([f"{one} (admin)" if one in admins else one for one in names])


def _adopt(name: str, manager: Host, _: Progress) -> None:
    """Give the service our label; its task goes on."""
    found = manager.engine.get(f"/services/{name}")
    spec = copy.deepcopy(found["Spec"])
    spec["Labels"] = {**(spec.get("Labels") or {}), LABEL: name}
    manager.engine.post(f"/services/{found['ID']}/update", spec, version=found["Version"]["Index"])
