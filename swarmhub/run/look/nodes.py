"""The hosts as they are: their engines, the swarm, and where homes and folders are; each question is asked once."""

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.engine.swarm import specs
from swarmhub.errors import StepError
from swarmhub.firewall import firewall
from swarmhub.firewall.rules import Endpoints
from swarmhub.host import Host, Json
from swarmhub.notebooks import homes, places, shared
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from swarmhub.notebooks.places import Places
from swarmhub.notebooks.shared import SharedVolume
from swarmhub.parallel import gather
from swarmhub.settings import Settings

T = TypeVar("T")


class Nodes:
    """What has been observed of the hosts and of the swarm, kept for the steps of one run."""

    def __init__(
        self, settings: Settings, hosts: Mapping[str, Host], manager: str, asked: tuple[str, ...] | None = None
    ) -> None:
        """`asked` are the hosts that the run does not leave out."""
        self._settings, self._hosts, self._manager = settings, hosts, hosts[manager]
        self._asked = settings.hosts.all if asked is None else asked
        # A run goes on without them to its end, though they may answer again: its steps are to be about the same hosts.
        self._left_out: dict[str, StepError] = {}
        self._seen: dict[object, Any] = {}
        self._asking: dict[object, Lock] = {}

    def members(self) -> dict[str, Member | StepError]:
        """Return what each host's engine says of itself, or why it says nothing."""
        hosts = self._asked
        return dict(zip(hosts, gather([partial(self.member, host) for host in hosts]), strict=True))

    def member(self, host: str) -> Member:
        """Return what a host's engine says of itself; one that could not be reached once is not asked again by this run."""
        if host in self._left_out:
            raise self._left_out[host]
        try:
            return self._once(("member", host), partial(nodes.observe, self._hosts[host]))
        except StepError as error:
            self._left_out[host] = error
            raise

    def present(self) -> tuple[str, ...]:
        """Return the hosts that answer, and that the run does not leave out."""
        return tuple(host for host, member in self.members().items() if isinstance(member, Member))

    def hosts_are_all(self) -> bool:
        """Tell whether none is away, nor left out."""
        return self.present() == self._settings.hosts.all

    def swarm(self) -> Swarm:
        """Return the swarm; the manager must be one."""
        nodes.check_manager(self._manager.name, self.member(self._manager.name))
        return self._once("swarm", partial(nodes.observe_swarm, self._manager))

    def kept(self, wanted: Json) -> Json:
        """Return what the swarm's managers keep of a service's spec."""
        return specs.kept(wanted, self.swarm().engine)

    def architecture(self) -> str:
        """Return the architecture of the manager's engine."""
        return str(self._once("architecture", lambda: self._manager.engine.get("/version")).get("Arch", ""))

    def log_drivers(self) -> dict[str, tuple[str, str]]:
        """Return by each node's id its host and the driver by which its engine keeps logs."""
        members = {host: one for host, one in self.members().items() if isinstance(one, Member)}
        return {one.node: (host, one.logs) for host, one in members.items()}

    def endpoints(self, host: str) -> Endpoints:
        """Return by which addresses a host is reached; nobody asks where no firewall is wanted."""
        if not self._settings.firewall.enabled:
            return Endpoints()
        return self._once(("endpoints", host), partial(firewall.observe_host, self._hosts[host]))

    def homes(self, host: str) -> tuple[HomeVolume, ...]:
        """Return the homes that a host holds; none are sought where the settings keep them on no one node."""
        if not self._settings.home.is_on_one_node:
            return ()
        settings = self._settings
        ask = partial(homes.volumes, self._hosts[host], settings.hub.service, settings.home.template)
        return self._once(("homes", host), ask)

    def cut_homes(self, host: str) -> tuple[HomeVolume, ...]:
        """Return the homes on a driver that every node reaches, as far as a host knows them, whose names have been cut."""
        ask = partial(homes.cut, self._hosts[host], self._settings.hub.service)
        return self._once(("cut homes", host), ask) if self._settings.home.is_everywhere else ()

    def places(self) -> tuple[HomeRecord, ...]:
        """Return on which nodes the homes are, by the swarm's records."""
        return self._once("places", partial(homes.places, self._manager, self._settings.hub.service))

    def folders(self, host: str) -> Places:
        """Return how a host has the folders from which homes and shared folders are mounted."""
        wanted = tuple(places.wanted(self._settings))
        return self._once(("folders", host), partial(places.observe, self._hosts[host], wanted)) if wanted else Places({}, None)

    def shared(self, host: str) -> tuple[SharedVolume, ...]:
        """Return how a host has the volumes of shared folders that people write to."""
        names = tuple(shared.wanted(self._settings))
        return self._once(("shared", host), partial(shared.observe, self._hosts[host], names)) if names else ()

    def forget(self) -> None:
        """Ask again from here on: something has been changed."""
        self._seen.clear()

    def forget_all(self) -> None:
        """Ask again from here on, also the hosts that could not be reached."""
        self.forget()
        self._left_out.clear()

    def _once(self, question: object, ask: Callable[[], T]) -> T:
        # Who asks the same meanwhile waits for the answer.
        with self._asking.setdefault(question, Lock()):
            if question not in self._seen:
                self._seen[question] = ask()
            answer: T = self._seen[question]
            return answer
