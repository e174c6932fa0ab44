"""The overlay between the nodes, really tried: a container on each, on a network of its own, and each calls the others.

VXLAN (4789/udp) cannot be knocked at: only a packet that comes out at the other end proves it. The containers need no image:
an empty one, with the host's own programs mounted read-only.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from threading import Lock

from swarmhub import context, network
from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.doctor.peers import NEIGHBOURS
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.notebooks import time
from swarmhub.plan import at_once
from swarmhub.settings import Settings
from swarmhub.wait import until

CHECK = "overlay"
LABELS = {"swarmhub": "doctor"}
# The containers end by themselves, should nobody be left to remove them.
LIFE_SECONDS = 60
# What a run that was killed has left behind is older than this when the next one removes it.
STALE_SECONDS = 300
# A node learns of a new address by gossip: most of the time at once.
PATIENCE_SECONDS = 5
GONE_SECONDS = 10
# Nothing listens at port 9: "refused" has been there and back. A name that is known has come by gossip.
SCRIPT = """
call() {
  while [ "$SECONDS" -lt "$0" ]; do
    case $(timeout 1 bash -c ": </dev/tcp/$2/9" 2>&1) in
      *refused*) echo "$1 reached"; return;;
      ?*) sleep 0.2;;
    esac
  done
  if timeout 1 getent hosts "$1" >/dev/null; then echo "$1 known"; else echo "$1 unknown"; fi
}
for peer in "$@"; do call "${peer%=*}" "${peer#*=}" & done
wait
"""
REACHED, UNKNOWN = "reached", "unknown"


class Trial:
    """A network and a container on each host, for as long as the trial takes."""

    def __init__(self, hosts: Mapping[str, Host], manager: str, folders: Mapping[str, Sequence[str]]) -> None:
        self._hosts, self._manager, self._folders = hosts, hosts[manager], folders
        self.name = f"swarmhub-doctor-{secrets.token_hex(3)}"
        self._locks = {host: Lock() for host in (*folders, manager)}
        self._is_over = False
        # Nothing has been made yet.
        self._is_clean = True

    def run(self, settings: Settings, encrypted: bool) -> list[Finding]:
        """Make them, let each call the others, say who does not reach whom, and clean up."""
        if len(self._folders) < 2:
            return []
        try:
            return self._run(settings, encrypted) + self.clean_up()
        except (StepError, EngineError) as error:
            return [from_error(CHECK, self._manager.name, error), *self.clean_up()]

    def _run(self, settings: Settings, encrypted: bool) -> list[Finding]:
        self._make_network(settings, encrypted)
        made = self._on_each(list(self._folders), self._start)
        broken = [from_error(CHECK, host, one) for host, one in made.items() if isinstance(one, Exception)]
        addresses = {host: str(one) for host, one in made.items() if not isinstance(one, Exception)}
        if len(addresses) < 2:
            return broken
        called = self._on_each(list(addresses), partial(self._call, addresses))
        broken += [from_error(CHECK, host, one) for host, one in called.items() if isinstance(one, Exception)]
        answers = {host: one for host, one in called.items() if isinstance(one, dict)}
        return broken + judge(answers, encrypted)

    def clean_up(self) -> list[Finding]:
        """Remove all of it, whatever has become of it; wait for what is just being made."""
        self._is_over = True
        if self._is_clean:
            return []
        self._on_each(list(self._folders), self._stop)
        try:
            until(self._removes_network, GONE_SECONDS, lambda: StepError(self._manager.name, "", ""))
        except (StepError, EngineError):
            remedy = f"On a manager: docker network rm {self.name}"
            return [warning(CHECK, self._manager.name, f"the network {self.name} of this trial could not be removed", remedy)]
        self._is_clean = True
        return []

    def _make_network(self, settings: Settings, encrypted: bool) -> None:
        self._sweep()
        wanted = network.desired(settings)
        options = {key: value for key, value in wanted["Options"].items() if key != "encrypted" or encrypted}
        wanted |= {"Name": self.name, "Attachable": True, "Options": options, "Labels": LABELS}
        wanted["IPAM"] = {"Driver": "default", "Config": []}
        with self._locks[self._manager.name]:
            self._unless_over()
            self._is_clean = False
            self._manager.engine.post("/networks/create", wanted)

    def _sweep(self) -> None:
        """Remove what an earlier run left that was killed; its containers have ended by themselves."""
        for old in self._manager.engine.get("/networks", filters={"label": ["swarmhub=doctor"]}):
            if (datetime.now(UTC) - time(old["Created"])).total_seconds() > STALE_SECONDS:
                with suppress(EngineError):
                    self._manager.engine.delete(f"/networks/{old['Id']}")

    def _start(self, host: str) -> str:
        engine = self._hosts[host].engine
        mounts = [
            {"Type": "bind", "Source": folder, "Target": folder, "ReadOnly": True, "BindOptions": {"NonRecursive": True}}
            for folder in self._folders[host]
        ]
        body = {
            "Image": self.name,
            "Entrypoint": ["/bin/sleep", str(LIFE_SECONDS)],
            "Labels": LABELS,
            "NetworkingConfig": {"EndpointsConfig": {self.name: {"Aliases": [self._alias(host)]}}},
            "HostConfig": {
                "NetworkMode": self.name,
                "Mounts": mounts,
                "AutoRemove": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["label=disable", "no-new-privileges"],
            },
        }
        with self._locks[host]:
            self._unless_over()
            for _ in engine.stream("/images/create", content=context.archive({}), fromSrc="-", repo=self.name, tag="latest"):
                pass
            engine.post("/containers/create", body, name=self.name)
            engine.post(f"/containers/{self.name}/start")
            networks = engine.get(f"/containers/{self.name}/json")["NetworkSettings"]["Networks"]
        return str(networks[self.name]["IPAddress"])

    def _call(self, addresses: Mapping[str, str], host: str) -> dict[str, str]:
        order = list(addresses)
        at = order.index(host)
        peers = {self._alias(peer): peer for peer in [*order[at + 1 :], *order[:at]][:NEIGHBOURS]}
        words = ("bash", "-c", SCRIPT, str(PATIENCE_SECONDS), *(f"{alias}={addresses[peer]}" for alias, peer in peers.items()))
        done = self._hosts[host].run("docker", "exec", self.name, "/bin/env", "PATH=/usr/bin:/bin", *words)
        if done.code:
            said = (done.err.strip().splitlines() or ["it says nothing"])[-1]
            raise StepError(host, f"the overlay cannot be tried: {said}", "Does a container run there? docker run hello-world")
        return {peers[alias]: answer for alias, answer in map(str.split, done.out.splitlines())}

    def _stop(self, host: str) -> None:
        engine = self._hosts[host].engine
        with self._locks[host]:
            engine.delete(f"/containers/{self.name}", force=True)
            with suppress(EngineError):
                engine.delete(f"/images/{self.name}", force=True)

    def _removes_network(self) -> bool:
        # Its endpoints go a moment after their containers.
        with suppress(EngineError):
            self._manager.engine.delete(f"/networks/{self.name}")
            return True
        return False

    def _alias(self, host: str) -> str:
        return f"node{list(self._folders).index(host)}"

    def _unless_over(self) -> None:
        if self._is_over:
            raise StepError(self._manager.name, "interrupted", "Run this again")

    def _on_each(self, hosts: Sequence[str], work: Callable[[str], object]) -> dict[str, object]:
        return dict(zip(hosts, at_once([partial(work, host) for host in hosts]), strict=True))


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
