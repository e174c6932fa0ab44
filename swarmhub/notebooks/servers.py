"""The single-user servers that run on the swarm: whose, where, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.shared.servers.mounts import BRACES, LITERAL
from swarmhub.engine.swarm.converge import HOLDING
from swarmhub.errors import StepError
from swarmhub.host import Host, Json

# hub/config/servers.py puts it on every server's service; its value is the hub's service.
LABEL = "swarmhub.notebooks"
USER = "JUPYTERHUB_USER"


@dataclass(frozen=True)
class RunningServer:
    """A user's server: its service and image, and the node (by id) and the state of its newest task."""

    user: str
    service: str
    node: str
    state: str
    since: datetime
    container: str
    image: str = ""


def observe(manager: Host, hub: str = "") -> tuple[RunningServer, ...]:
    """Ask for the servers that a hub has started, or that all hubs have, by name."""
    label = {"label": [f"{LABEL}={hub}" if hub else LABEL]}
    services = manager.engine.get("/services", filters=label)
    # Not by the services' ids: the engine has no answer at all where one of them has gone meanwhile.
    tasks = manager.engine.get("/tasks", filters=label) if services else []
    return read(services, tasks)


def read(services: Sequence[Json], tasks: Sequence[Json]) -> tuple[RunningServer, ...]:
    """Read the servers off the engine's answers; a service without a task yet is `new` and nowhere."""
    newest: dict[str, Json] = {}
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"])):
        newest[task["ServiceID"]] = task
    return tuple(sorted((_notebook(one, newest.get(one["ID"])) for one in services), key=lambda one: one.service))


def named(notebooks: Sequence[RunningServer], user: str, manager: str) -> RunningServer:
    """Return a user's server.

    Raises:
        StepError: the user has none.

    """
    for one in notebooks:
        if one.user == user.lower():  # as JupyterHub writes names
            return one
    others = ", ".join(one.user for one in notebooks)
    raise StepError(manager, f"{user} has no server", f"Users with a server: {others}" if others else "Nobody has one")


def running(notebooks: Sequence[RunningServer]) -> tuple[RunningServer, ...]:
    """Return those that people may be working in."""
    return tuple(one for one in notebooks if one.state in HOLDING)


def user(service: Json) -> str:
    """Return whose server a service is; nobody's, if it is none."""
    if LABEL not in (service["Spec"].get("Labels") or {}):
        return ""
    environment = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env") or []
    name = str(dict(line.partition("=")[::2] for line in environment).get(USER, service["Spec"]["Name"]))
    return name.replace(LITERAL, BRACES)


def _notebook(service: Json, task: Json | None) -> RunningServer:
    spec = service["Spec"]
    status = task["Status"] if task else {"State": "new", "Timestamp": service["CreatedAt"]}
    return RunningServer(
        user=user(service),
        service=spec["Name"],
        node=(task or {}).get("NodeID", ""),
        state=status["State"],
        since=datetime.fromisoformat(status["Timestamp"]),
        container=(status.get("ContainerStatus") or {}).get("ContainerID", ""),
        image=spec["TaskTemplate"]["ContainerSpec"].get("Image", ""),
    )
