"""Hosts in memory that answer the doctor's questions."""

from typing import Any

from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.doctor.probe import Address, Probe
from swarmhub.host import Output
from tests.unit.support.fakes import MANAGER, FakeHost

ADDRESSES = {"swarm-manager1": "10.0.0.11", "swarm-worker1": "10.0.0.21", "swarm-worker2": "10.0.0.22"}
SAID = """clock 1000.500
user root
free 20000000 /var/lib/docker
kernel IPVS yes 6.12.1
kernel ESP no 6.12.1
address lo 127.0.0.1 65536
address eth0 {address} 1500
folder /bin
folder /usr
bash yes
"""


class SpeakingHost(FakeHost):
    """A host whose commands are told apart by their first word: scripts are long."""

    def __init__(self, name: str = MANAGER, answers: dict[str, Any] | None = None, **said: str | Output | Exception) -> None:
        super().__init__(name, answers or {})
        self.said: dict[str, str | Output | Exception] = {
            "true": "",
            "sh": SAID.format(address=ADDRESSES.get(name, "")),
            **said,
        }

    def run(self, *argv: str) -> Output:
        if argv[0] not in self.said:
            return super().run(*argv)
        self.ran.append(argv)
        answer = self.said[argv[0]]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Output) else Output(0, answer, "")


def probe(**more: Any) -> Probe:
    """Return what a healthy host says of itself."""
    healthy: dict[str, Any] = {
        "offset": 0.0,
        "error": 0.01,
        "user": "root",
        "free": {"/var/lib/docker": 20_000_000_000},
        "kernel": {"IPVS": "yes", "ESP": "yes"},
        "release": "6.12.1",
        "addresses": (Address("lo", "127.0.0.1", 65536), Address("eth0", "10.0.0.11", 1500)),
        "folders": ("/bin", "/usr"),
        "has_bash": True,
    }
    return Probe(**healthy | more)


def info(node: str = "n1", address: str = "10.0.0.11", state: str = "active", *, manager: bool = False) -> dict[str, Any]:
    """Return what an engine says of itself."""
    swarm = {"NodeID": node, "NodeAddr": address, "LocalNodeState": state, "ControlAvailable": manager}
    return {"ServerVersion": "29.0.1", "DockerRootDir": "/var/lib/docker", "Swarm": swarm}


def seen(host: str = MANAGER, **more: Any) -> HostAnswers:
    """Return what a healthy host answered."""
    version = {"Version": "29.0.1", "ApiVersion": "1.52", "Arch": "amd64"}
    healthy: dict[str, Any] = {"info": info(), "version": version, "probe": probe()}
    return HostAnswers(host, **healthy | more)
