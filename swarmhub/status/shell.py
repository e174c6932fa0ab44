"""A shell in the hub's container or a user's, on the node that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from swarmhub.cluster.nodes import Member
from swarmhub.engine.swarm import converge
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.notebooks import servers
from swarmhub.run.look import Look
from swarmhub.status import summary

STEP = "shell"
# Whatever the image has.
SHELL = "command -v bash >/dev/null && exec bash; exec sh"


@dataclass(frozen=True)
class ContainerLocation:
    """A container, and the host that runs it."""

    host: str
    container: str


def of_hub(look: Look, manager: Host, name: str) -> ContainerLocation:
    """Return where the hub runs.

    Raises:
        StepError: it does not run, or on a node that hosts.toml does not name.

    """
    service = look.service().service
    if service is None:
        raise StepError(manager.name, f"there is no service {name}", "Deploy it first: fab deploy")
    hub = summary.read_hub(service, converge.tasks(manager, name))
    if hub.state != "running":
        raise StepError(manager.name, f"service {name} does not run: it is {hub.state}", "Its log: fab logs")
    return _place(look, manager, hub.node, hub.container, name)


def of_user(look: Look, manager: Host, hub: str, user: str) -> ContainerLocation:
    """Return where a user's server runs.

    Raises:
        StepError: the user has none, it does not run, or on a node that hosts.toml does not name.

    """
    server = servers.named(servers.observe(manager, hub), user, manager.name)
    if server.state != "running":
        raise StepError(
            manager.name, f"the server of {user} does not run: it is {server.state}", f"Its log: fab logs --user {user}"
        )
    return _place(look, manager, server.node, server.container, server.service)


def command(place: ContainerLocation, *, terminal: bool) -> tuple[str, ...]:
    """Return the command that opens the shell."""
    return ("docker", "exec", "-it" if terminal else "-i", place.container, "sh", "-c", SHELL)


def _place(look: Look, manager: Host, node: str, container: str, service: str) -> ContainerLocation:
    members: Mapping[str, Member | StepError] = look.members()
    for host, member in members.items():
        if isinstance(member, Member) and member.node == node:
            return ContainerLocation(host, container)
    lost = next((member for member in members.values() if isinstance(member, StepError)), None)
    if lost:
        raise lost
    remedy = f"Add that node to hosts.toml; which one it is says, on {manager.name}: docker service ps {service}"
    raise StepError(manager.name, f"{service} runs on a node that hosts.toml does not name", remedy)
