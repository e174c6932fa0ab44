"""A service whose container on every node keeps firewall rules there, so that notebooks cannot reach the nodes."""

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub.shared import services
from swarmhub.engine.swarm import converge, specs
from swarmhub.engine.swarm.converge import FAILURES, HOLDING, failed
from swarmhub.engine.swarm.replicated import LABEL, RENAME, send
from swarmhub.errors import StepError, StepErrors
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall import spec
from swarmhub.firewall.rules import Endpoints
from swarmhub.host import EngineError, Host, Json
from swarmhub.parallel import both
from swarmhub.plan.differences import flat
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.wait import until

STEP = "firewall"
# A restart of the service, and the first check of each container, which takes its time on a busy node.
SECONDS = 180
LOG_SECONDS = 5
# What an engine says whose host keeps its mounts to itself, and what inside/firewall.sh says.
REMEDIES = {
    "not a shared or slave mount": "Before Docker starts: mount --make-rshared /; or set firewall.isolate_servers = false",
    "no docker command": "Install Docker's command line there, or set firewall.isolate_servers = false",
    "isolated from": "See there: sudo dmesg; or set firewall.isolate_servers = false",
}
# Docker's own bridges are the same on every host, and temporary IPv6 addresses change by the day.
SCRIPT = r"""
PATH=$PATH:/usr/sbin:/sbin
ip -o addr show scope global 2>/dev/null | grep -v -e ' temporary ' -e ' deprecated ' | while read -r _ device _ address _; do
  case $device in docker*|br-*|veth*) ;; *) echo "address ${address%%/*}";; esac
done
# sudo takes the variable away, and then may ask sshd itself.
if [ -n "$SSH_CONNECTION" ]; then echo "ssh ${SSH_CONNECTION##* }"
else sshd -T 2>/dev/null | sed -n 's/^port /ssh /p'
fi
"""


@dataclass(frozen=True)
class ExistingFirewall:
    """The service as it is, and its tasks."""

    service: Json | None
    tasks: tuple[Json, ...] = ()

    @property
    def image(self) -> str:
        """Return the image that the service names, by its id where all nodes have the same."""
        return str(self._container.get("Image", ""))

    @property
    def tag(self) -> str:
        """Return the name of the image that it was made from."""
        return str(((self.service or {}).get("Spec", {}).get("Labels") or {}).get(spec.IMAGE_LABEL, ""))

    @property
    def active(self) -> frozenset[str]:
        """Return the nodes, by their ids, on which the rules are active as the service wants them."""
        return frozenset(node for node, tasks in self.by_node.items() if tasks[-1]["Status"]["State"] == "running")

    @property
    def by_node(self) -> dict[str, list[Json]]:
        """Return each node's tasks of the service as it is now, the oldest first."""
        found: dict[str, list[Json]] = {}
        for task in sorted(self.tasks, key=lambda task: str(task["CreatedAt"])):
            if task.get("NodeID") and task["Spec"].get("ContainerSpec") == self._container:
                found.setdefault(task["NodeID"], []).append(task)
        return found

    @property
    def _container(self) -> Json:
        return self.service["Spec"]["TaskTemplate"]["ContainerSpec"] if self.service else {}


def name(hub: str) -> str:
    """Return the service's name."""
    return services.firewall(hub)


def observe(manager: Host, hub: str, ask_tasks: Callable[[], Sequence[Json]] | None = None) -> ExistingFirewall:
    """Ask for the service and its tasks; `ask_tasks` gives those of other services too."""
    ask_tasks = ask_tasks or partial(converge.tasks, manager, name(hub))
    service, tasks = both(partial(manager.engine.find, f"/services/{name(hub)}"), ask_tasks)
    return ExistingFirewall(service, tuple(task for task in tasks if service and task["ServiceID"] == service["ID"]))


def observe_host(host: Host) -> Endpoints:
    """Ask a host by which addresses it is reached, and for the ports of its sshd."""
    return parse(host.run("sh", "-c", SCRIPT).out)


def parse(text: str) -> Endpoints:
    """Read what the script printed."""
    rows = [line.split() for line in text.splitlines()]
    addresses = (row[1] for row in rows if row[0] == "address")
    return Endpoints(tuple(sorted({*addresses})), tuple(sorted({int(row[1]) for row in rows if row[0] == "ssh"})))


def image(hub: str, found: ExistingFirewall, elsewhere: Sequence[str | None]) -> str | None:
    """Return how the service names its image; None while a node lacks it.

    `elsewhere` are the ids that the image has on the nodes on which the rules are not active.
    """
    if None in elsewhere:
        return None
    ids = {*elsewhere, *([found.image] if found.active and found.tag == firewall_image.tag(hub) else [])}
    return str(ids.pop()) if len(ids) == 1 else firewall_image.tag(hub)


def plan(wanted: dict[str, Any], found: ExistingFirewall, manager: str) -> Plan:
    """Return what makes the service as wanted.

    Raises:
        StepError: somebody else's service has its name.

    """
    if found.service is None:
        what, gist = _what(wanted["Name"]), specs.gist(wanted)
        return Plan(STEP, "", (Change("create", what, manager, partial(send, wanted, None), flat(wanted), gist=gist),))
    there = copy.deepcopy(found.service["Spec"])
    if LABEL not in (there.get("Labels") or {}):
        raise StepError(manager, f"service {wanted['Name']} is not this hub's", RENAME)
    # The engine keeps the id of the network "host" in the swarm, which it does not list.
    there["TaskTemplate"]["Networks"] = wanted["TaskTemplate"]["Networks"]
    differs = specs.compare(wanted, there)
    if differs:
        update = Change("update", _what(wanted["Name"]), manager, partial(send, wanted, found.service), differs)
        return Plan(STEP, "", (update,))
    return Plan(STEP, f"{wanted['Name']}: rules are active on {len(found.active)} nodes")


def plan_none(hub: str, found: ExistingFirewall, manager: str) -> Plan:
    """Return what takes the firewall away where it is not wanted; somebody else's service of its name stays."""
    if found.service is None or LABEL not in (found.service["Spec"].get("Labels") or {}):
        return Plan(STEP, "no rules are wanted")
    gone = Change("remove", _what(name(hub)), manager, _Remover(found.service["ID"]))
    return Plan(STEP, "no rules are wanted", (gone,))


def _what(service: str) -> str:
    return f"service {service}"


def ensure(manager: Host, hub: str, wanted: Mapping[str, str], first: ExistingFirewall) -> None:
    """Return when the rules are active on all of the nodes, named by id; `first` is what was seen last.

    Raises:
        StepErrors: with each node on which they do not.

    """
    last = first
    # What failed before may have been mended since.
    old = frozenset(task["ID"] for task in failed(first.tasks))

    def settled() -> bool:
        nonlocal last
        if not _is_settled(last, wanted, old):
            last = observe(manager, hub)
        return _is_settled(last, wanted, old)

    with suppress(TimeoutError):
        until(settled, SECONDS, TimeoutError, pause=0.3)
    missing = [_missing(manager, last.by_node.get(node, []), host) for node, host in wanted.items() if node not in last.active]
    if missing:
        raise StepErrors(*missing)


def _is_settled(found: ExistingFirewall, wanted: Mapping[str, str], old: frozenset[str]) -> bool:
    tasks = {node: [task for task in found.by_node.get(node, []) if task["ID"] not in old] for node in wanted}
    return all(node in found.active or len(failed(of_node)) >= FAILURES for node, of_node in tasks.items())


def _missing(manager: Host, tasks: Sequence[Json], host: str) -> StepError:
    bad = (failed(tasks) or [*tasks])[-1:]
    if not bad:
        return StepError(
            host, "the firewall rules are not active: Swarm has given this node no task", "See on a manager: docker node ls"
        )
    said = _last_line(manager, bad[0]["ID"]) or bad[0]["Status"].get("Err") or f"the container is {bad[0]['Status']['State']}"
    return StepError(host, f"the firewall rules are not active: {said}", _remedy(said))


def _remedy(said: str) -> str:
    known = (remedy for part, remedy in REMEDIES.items() if part in said)
    return next(known, "See there: sudo iptables -S; to do without the firewall: firewall.enabled = false")


def _last_line(manager: Host, task: str) -> str:
    with suppress(EngineError, StepError):
        return next(reversed([*manager.engine.logs(f"/tasks/{task}/logs", tail=1, patience=LOG_SECONDS)]), "").strip()
    return ""


@dataclass(frozen=True)
class _Remover:
    service: str

    def __call__(self, host: Host, progress: Progress) -> None:
        host.engine.delete(f"/services/{self.service}")

        def are_down() -> bool:
            tasks = [task for task in host.engine.get("/tasks") if task["ServiceID"] == self.service]
            return not any(task["Status"]["State"] in HOLDING for task in tasks)

        remedy = "What is left on a node goes when the node restarts"
        until(
            are_down, SECONDS, lambda: StepError(host.name, "the containers that keep the firewall rules do not stop", remedy)
        )
