"""Each host: SSH and its host key, sudo or the docker group, the engine and its API."""

from collections.abc import Mapping
from dataclasses import dataclass

from swarmhub.doctor import probe as probing
from swarmhub.doctor.finding import Finding, failure, from_error, ok, warning
from swarmhub.doctor.probe import Probe
from swarmhub.errors import StepError
from swarmhub.host import NO_GREETING, EngineError, Host, Json, greeting

ROOT = "/var/lib/docker"
CONTAINERD = "/var/lib/containerd"
# Engine 20.10: what older ones lack is tried nowhere.
OLDEST_API = (1, 41)


@dataclass(frozen=True)
class HostAnswers:
    """What one host answered: None where it did not, and then `trouble` says why."""

    host: str
    info: Json | None = None
    version: Json | None = None
    probe: Probe | None = None
    trouble: tuple[Finding, ...] = ()

    @property
    def node(self) -> str:
        """Return the node's id in its swarm, if it is in one."""
        return str(self._swarm.get("NodeID") or "") if self._swarm.get("LocalNodeState") == "active" else ""

    @property
    def address(self) -> str:
        """Return the address by which the other nodes know it."""
        return str(self._swarm.get("NodeAddr") or "")

    @property
    def folders(self) -> tuple[str, ...]:
        """Return where its engine keeps images."""
        return folders(self.info)

    @property
    def _swarm(self) -> Json:
        return (self.info or {}).get("Swarm") or {}


def observe(host: Host) -> HostAnswers:
    """Ask a host for all that needs nothing but itself."""
    try:
        reached = host.run("true")
    except StepError as error:
        return HostAnswers(host.name, trouble=(from_error("ssh", host.name, error),))
    if reached.code:
        remedy = "Allow sudo without a password for this user (NOPASSWD), or set ssh.sudo = false"
        return HostAnswers(
            host.name, trouble=(failure("ssh", host.name, f"cannot run commands there: {reached.last}", remedy),)
        )
    trouble: list[Finding] = []
    if greets := greeting(reached):
        trouble.append(failure("ssh", host.name, greets, NO_GREETING))
    info = version = probe = None
    try:
        info, version = host.engine.get("/info"), host.engine.get("/version")
    except (StepError, EngineError) as error:
        trouble.append(from_error("docker", host.name, error))
    try:
        probe = probing.observe(host, *folders(info))
    except (StepError, ValueError, KeyError, IndexError) as error:
        trouble.append(from_error("ssh", host.name, error))
    return HostAnswers(host.name, info, version, probe, tuple(trouble))


def folders(info: Json | None) -> tuple[str, ...]:
    """Return where an engine keeps images: with containerd's image store, in containerd's folder."""
    status = dict(pair for pair in (info or {}).get("DriverStatus") or [] if len(pair) == 2)
    in_containerd = str(status.get("driver-type", "")).startswith("io.containerd.snapshotter")
    return ((info or {}).get("DockerRootDir") or ROOT, *((CONTAINERD,) if in_containerd else ()))


def judge(seen: Mapping[str, HostAnswers], with_sudo: bool) -> list[Finding]:
    """Return how each host is reached, and its engine."""
    findings = [finding for one in seen.values() for finding in one.trouble]
    for one in seen.values():
        if one.probe:
            findings.append(
                ok("ssh", one.host, f"reached as {one.probe.user}{' with sudo' if with_sudo else ''}, host key known")
            )
        if one.version:
            findings.append(_engine(one.host, one.version))
    versions = {one.host: str(one.version["Version"]) for one in seen.values() if one.version}
    majors = {version.partition(".")[0] for version in versions.values()}
    if len(majors) > 1:
        text = f"engines of different major versions: {', '.join(f'{host} {version}' for host, version in versions.items())}"
        findings.append(warning("docker", next(iter(seen)), text, "Upgrade the older ones, a node at a time"))
    return findings


def _engine(host: str, version: Json) -> Finding:
    said = f"Docker {version['Version']}, API {version['ApiVersion']}"
    if _number(version["ApiVersion"]) < OLDEST_API:
        return failure("docker", host, f"{said} is too old", "Upgrade Docker Engine there to 20.10 or newer")
    return ok("docker", host, said)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
