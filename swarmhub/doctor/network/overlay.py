"""The overlay between the nodes, really tried: a service on a network of its own, whose containers call each other.

VXLAN (4789/udp) cannot be knocked at: only a packet that comes out at the other end proves it. A service, not plain containers
on an attachable network: an engine that waits in vain for one of those can leave the swarm only after a restart (Docker 26).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.doctor.network import starts
from swarmhub.doctor.network.peers import NEIGHBOURS
from swarmhub.doctor.network.starts import CHECK, MOST_SECONDS, Running
from swarmhub.engine import containers, context
from swarmhub.engine.swarm import replicated
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.parallel import at_once
from swarmhub.services import network
from swarmhub.settings import Settings
from swarmhub.wait import until

LABELS = {"swarmhub": "doctor"}
# The containers end by themselves, should nobody be left to remove them.
LIFE_SECONDS = MOST_SECONDS + 60
# What a run that was killed has left behind is older than this when the next one removes it.
STALE_SECONDS = 300
GONE_SECONDS = 15
# A node learns of a new address by gossip: most of the time at once.
PATIENCE_SECONDS = 5
# Nothing listens at port 9: "refused" has been there and back. An address that the name has came by gossip.
SCRIPT = """
call() {
  while [ "$SECONDS" -lt "$2" ]; do
    case $(timeout 1 bash -c ": </dev/tcp/$3/9" 2>&1) in
      *refused*) echo "$3 reached"; return;;
      ?*) sleep 0.2;;
    esac
  done
  case " $(timeout 1 getent ahosts "$1" | tr '\\n' ' ')" in
    *" $3 "*) echo "$3 known";;
    *) echo "$3 unknown";;
  esac
}
name=$1 patience=$2
shift 2
for peer in "$@"; do call "$name" "$patience" "$peer" & done
wait
"""
REACHED, UNKNOWN = "reached", "unknown"


@dataclass(frozen=True)
class Participant:
    """A host that takes part: its node, and the folders whose programs its container borrows."""

    host: Host
    node: str
    folders: tuple[str, ...]
    architecture: str


class OverlayTrial:
    """A network and a service on it, for as long as the trial takes."""

    def __init__(self, manager: Host, id_: str, participants: Mapping[str, Participant]) -> None:
        self._manager, self._participants = manager, participants
        self.name = f"swarmhub-doctor-{id_}"
        self._lock = Lock()
        self._is_over, self._is_clean = False, True

    def run(self, settings: Settings, encrypted: bool) -> list[Finding]:
        """Make them, let each container call the others, say who does not reach whom, and clean up."""
        if len(self._participants) < 2:
            return []
        try:
            return self._run(settings, encrypted) + self.clean_up()
        except (StepError, EngineError) as error:
            return [from_error(CHECK, self._manager.name, error), *self.clean_up()]

    def clean_up(self) -> list[Finding]:
        """Remove all of it, whatever has become of it; what is just being made is waited for."""
        self._is_over = True
        with self._lock:
            if self._is_clean:
                return []
            try:
                # An engine that is to end a task itself waits 2 s first, for the other nodes to hear of it.
                self._on_each(list(self._participants), self._remove_containers)
                self._manager.engine.delete(f"/services/{self.name}")
                until(self._is_removed, GONE_SECONDS, lambda: StepError("", "", ""))
            except (StepError, EngineError):
                remedy = f"On a manager: docker service rm {self.name}; docker network rm {self.name}"
                return [warning(CHECK, self._manager.name, f"{self.name} of this trial could not be removed", remedy)]
            self._is_clean = True
        return []

    def _run(self, settings: Settings, encrypted: bool) -> list[Finding]:
        with self._lock:
            if self._is_over:
                return []
            self._sweep()
            self._is_clean = False
            images = self._on_each(list(self._participants), self._load)
            broken = _errors(images)
            ids = {str(one) for one in images.values() if not isinstance(one, BaseException)}
            self._manager.engine.post("/networks/create", network_body(self.name, settings, encrypted))
            # By its id, an engine does not look for it in a registry first.
            image = ids.pop() if len(ids) == 1 else self.name
            folders = [set(one.folders) for one in self._participants.values()]
            self._manager.engine.post("/services/create", service_body(self.name, image, sorted(set.intersection(*folders))))
        nodes = {host: self._participants[host].node for host, one in images.items() if not isinstance(one, BaseException)}
        found = starts.follow(self._tasks, nodes, lambda: self._is_over)
        up = {host: running for host, one in found.items() if (running := one.running)}
        broken += [starts.judge(host, one, time.monotonic()) for host, one in found.items() if host not in up]
        called = self._on_each(list(up), partial(self._call, up)) if len(up) > 1 else {}
        answers = {host: one for host, one in called.items() if isinstance(one, dict)}
        return broken + _errors(called) + judge(answers, encrypted)

    def _sweep(self) -> None:
        """Remove what an earlier run left that was killed."""
        now = containers.clock(self._manager)
        for kind in ("services", "networks"):
            for old in self._manager.engine.get(f"/{kind}", filters={"label": ["swarmhub=doctor"]}):
                made = old.get("CreatedAt") or old["Created"]
                if now - datetime.fromisoformat(made).timestamp() > STALE_SECONDS:
                    with suppress(EngineError):
                        self._manager.engine.delete(f"/{kind}/{old.get('ID') or old['Id']}")

    def _load(self, host: str) -> str:
        one = self._participants[host]
        engine = one.host.engine
        engine.load(context.image(self.name, one.architecture))
        return str(engine.get(f"/images/{self.name}/json")["Id"])

    def _tasks(self) -> Sequence[Json]:
        answer: Sequence[Json] = self._manager.engine.get("/tasks", filters={"service": [self.name]})
        return answer

    def _call(self, up: Mapping[str, Running], host: str) -> dict[str, str]:
        order = list(up)
        at = order.index(host)
        peers = {up[peer].address: peer for peer in [*order[at + 1 :], *order[:at]][:NEIGHBOURS]}
        words = ("bash", "-c", SCRIPT, "bash", self.name, str(PATIENCE_SECONDS), *peers)
        path = "PATH=/usr/bin:/bin"
        done = containers.execute(self._participants[host].host, up[host].container, "/usr/bin/env", path, *words)
        if done.code:
            raise StepError(
                host, f"the overlay cannot be tried: {done.last}", "Does a container run there? docker run hello-world"
            )
        return {peers[address]: answer for address, answer in map(str.split, done.out.splitlines())}

    def _is_removed(self) -> bool:
        """Remove what can be removed already: endpoints go a moment after their tasks."""
        answers = self._on_each(list(self._participants), self._forget_image)
        if any(isinstance(answer, EngineError) for answer in answers.values()):
            return False
        with suppress(EngineError):
            self._manager.engine.delete(f"/networks/{self.name}")
            return True
        return False

    def _remove_containers(self, host: str) -> None:
        at = self._participants[host].host
        for one in containers.of_service(at, self.name, all=True):
            at.engine.delete(f"/containers/{one['Id']}", force=True)

    def _forget_image(self, host: str) -> None:
        self._participants[host].host.engine.delete(f"/images/{self.name}", force=True)

    def _on_each(self, hosts: Sequence[str], work: Callable[[str], object]) -> dict[str, object]:
        return dict(zip(hosts, at_once([partial(work, host) for host in hosts]), strict=True))


def network_body(name: str, settings: Settings, encrypted: bool) -> dict[str, Any]:
    """Return the request for a network like that of the settings, with addresses of Docker's choice."""
    wanted = network.desired(settings)
    options = {key: value for key, value in wanted["Options"].items() if key != "encrypted" or encrypted}
    own = {"Name": name, "Attachable": False, "Options": options, "Labels": LABELS}
    return {**wanted, **own, "IPAM": {"Driver": "default", "Config": []}}


def service_body(name: str, image: str, folders: Sequence[str]) -> dict[str, Any]:
    """Return the request for a container on every active node that sleeps, and borrows its host's programs."""
    mounts = [{"Type": "bind", "Source": folder, "Target": folder, "ReadOnly": True} for folder in folders]
    container = {
        "Image": image,
        "Command": ["/bin/sleep", str(LIFE_SECONDS)],
        "Labels": LABELS,
        "Mounts": mounts,
        "Privileges": {"SELinuxContext": {"Disable": True}},
        **replicated.privileges(),
        "StopSignal": "SIGKILL",
    }
    return {
        "Name": name,
        "Labels": LABELS,
        "TaskTemplate": {
            "ContainerSpec": container,
            "Networks": [{"Target": name}],
            "RestartPolicy": {"Condition": "none"},
        },
        "Mode": {"Global": {}},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def judge(answers: Mapping[str, Mapping[str, str]], encrypted: bool) -> list[Finding]:
    """Blame the host that reaches nobody; what others do not reach because of it is said once."""
    silent = {host: [peer for peer, answer in peers.items() if answer != REACHED] for host, peers in answers.items()}
    cut_off = {host for host, peers in silent.items() if peers and len(peers) == len(answers[host])}
    if len(cut_off) == len(answers):
        cut_off = set()
    findings = []
    for host, peers in silent.items():
        left = peers if host in cut_off else [peer for peer in peers if peer not in cut_off]
        if left:
            gossips = all(answers[host][peer] != UNKNOWN for peer in left)
            text = f"no packet of an overlay network comes through with {', '.join(left)}"
            findings.append(failure(CHECK, host, text, _remedy(gossips, encrypted)))
        elif len(peers) < len(answers[host]):
            number = len(answers[host]) - len(peers)
            text = f"packets of an overlay network come through with {number} other node{'s' if number > 1 else ''}"
            findings.append(ok(CHECK, host, text))
    return findings


def _remedy(gossips: bool, encrypted: bool) -> str:
    data = "4789/udp" + (" and the IP protocol 50 (ESP)" if encrypted else "")
    ports = data if gossips else f"7946/tcp, 7946/udp and {data}"
    heard = "They hear of each other: open" if gossips else "They do not even hear of each other: open"
    return f"{heard} {ports} between them"


def _errors(answers: Mapping[str, object]) -> list[Finding]:
    return [from_error(CHECK, host, one) for host, one in answers.items() if isinstance(one, BaseException)]
