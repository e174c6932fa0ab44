"""One look at the cluster: every question is asked once, until something has changed."""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from hub.filter import policy
from hub.shared import services as beside
from swarmhub.certificate import certs
from swarmhub.certificate.certs import Certificate
from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import Member, Swarm
from swarmhub.engine import converge, specs
from swarmhub.engine.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.firewall import firewall
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall.firewall import ExistingFirewall
from swarmhub.firewall.rules import Endpoints
from swarmhub.history import lock, releases
from swarmhub.history.lock import LockHolder
from swarmhub.history.releases import Release
from swarmhub.host import Host, Json
from swarmhub.images import build, builder, pull
from swarmhub.images.builder import Recipe
from swarmhub.images.pull import Held, Holding
from swarmhub.notebooks import homes, places, servers, shared
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from swarmhub.notebooks.places import Places
from swarmhub.notebooks.shared import SharedVolume
from swarmhub.parallel import at_once, both, gather
from swarmhub.services import engine_filter, network, proxy, renewal, volume
from swarmhub.services import hub as hub_service
from swarmhub.services.hub import ExistingHub
from swarmhub.services.network import ExistingNetwork
from swarmhub.services.renewal import RenewalState
from swarmhub.settings import Settings

if TYPE_CHECKING:
    from swarmhub.images.platforms import Misfit
    from swarmhub.services.schedule.service import ExistingSchedule
    from swarmhub.services.schedule.state import NodeState

T = TypeVar("T")
# What a machine calls itself, and what images are called that are for it.
NATIVE = {"x86_64": ("amd64",), "aarch64": ("arm64",)}
# Nodes and images of one kind, which need no closer look; an engine may tell nothing.
PLAIN = (*((machine, one) for machine, (one,) in NATIVE.items()), ("", ""))


class Look:
    """What has been observed on the cluster, kept for the steps of one run."""

    def __init__(
        self, settings: Settings, hosts: Mapping[str, Host], manager: str, asked: tuple[str, ...] | None = None
    ) -> None:
        """`asked` are the hosts that the run does not leave out."""
        self._settings, self._hosts, self._manager = settings, hosts, hosts[manager]
        self._asked = settings.hosts.all if asked is None else asked
        # Of notebook images, where the run has asked the registries what is newer: by tag, the digest.
        self.newest: Mapping[str, str] = {}
        # Of images that notebook images are built on, the same where their tags have moved.
        self.moved: Mapping[str, str] = {}
        # Those that are built here, by their tags: no registry knows them.
        self.built: Collection[str] = ()
        # For what registries have images: no change to the cluster makes that another answer.
        self._offers: dict[str, Collection[str]] = {}
        # A run goes on without them to its end, though they may answer again: its steps are to be about the same hosts.
        self._left_out: dict[str, StepError] = {}
        self._seen: dict[object, Any] = {}
        self._asking: dict[object, Lock] = {}

    def everywhere(self) -> None:
        """Ask all hosts everything at once; what fails now is asked again by the step that needs it."""
        # First what others wait for, and commands, which take longer than a question to an engine.
        of_manager: list[Callable[[], object]] = [
            self.swarm,
            self.certificate,
            self._services,
            self._networks,
            self._tasks,
            self.firewall,
            self.service,
            self.volume,
            self.volume_containers,
            self.releases,
            self.holder,
            self.places,
            self._hub_images,
        ]
        of_host: list[Callable[[str], object]] = [
            self.member,
            self.endpoints,
            self.held,
            self.homes,
            self.cut_homes,
            self.folders,
        ]
        of_hosts = [partial(ask, host) for ask in of_host for host in self._asked]
        # The hosts' first: the swarm's nodes are asked for when the manager has said that it is one.
        jobs: list[Callable[[], object]] = [*of_hosts, *of_manager, self.authorities]
        at_once(jobs, most=len(jobs))

    def _hub_images(self) -> None:
        at_once([partial(self.hub_image, tag) for tag in (*(image.tag for image in self.builds), *self._of_schedule)])

    @cached_property
    def _of_schedule(self) -> tuple[str, ...]:
        """Return the image that backups on the cluster are made with; none, where it makes none."""
        if self._settings.backup.every is None:
            return ()
        from swarmhub.images import restic  # most clusters make none yet

        return tuple(one.tag for one in restic.wanted(self._settings))

    @cached_property
    def builds(self) -> tuple[Recipe, ...]:
        """Return the images to build, read once: no change to the cluster makes them others."""
        return build.wanted(self._settings)

    def forget(self) -> None:
        """Ask again from here on: something has been changed."""
        self._seen.clear()

    def forget_all(self) -> None:
        """Ask again from here on, also the hosts that could not be reached."""
        self.forget()
        self._left_out.clear()

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

    def images(self, hosts: Sequence[str]) -> dict[str, Holding | StepError]:
        """Return what each of the hosts holds of the notebook images that it can run, or why that cannot be told."""
        seen = self._images(hosts)
        held = {host: one for host, one in seen.items() if not isinstance(one, StepError)}
        return {**seen, **self.fitting(held)}

    def fitting(self, held: Mapping[str, Holding], machines: Mapping[str, str] | None = None) -> dict[str, Holding]:
        """Return what hosts hold of those images that they can run: of the others nothing is wanted of them."""
        dropped = {(one.host, one.image) for one in self.misfits(held, machines)}
        return {host: {image: it for image, it in one.items() if (host, image) not in dropped} for host, one in held.items()}

    def unfit(self, hosts: Sequence[str]) -> "list[Misfit]":
        """Return which of the hosts cannot run which notebook images."""
        seen = self._images(hosts)
        return self.misfits({host: one for host, one in seen.items() if not isinstance(one, StepError)})

    def misfits(self, held: Mapping[str, Holding], machines: Mapping[str, str] | None = None) -> "list[Misfit]":
        """Return which hosts cannot run which of the images, from what they hold of them, and the others.

        The hosts are asked for their machines, unless these are known.
        """
        others: list[str] = []
        if machines is None:
            machines = {host: one.machine for host, one in self.members().items() if isinstance(one, Member)}
            others = [host for host in machines if host not in held]
        pairs = {(machines.get(host, ""), one.architecture) for host in held for one in held[host].values() if one}
        if len({*machines.values()}) < 2 and any(pairs <= {plain} for plain in PLAIN):
            return []
        from swarmhub.images import platforms  # most clusters are of one kind

        more = {host: one for host, one in self._images(others).items() if not isinstance(one, StepError)}
        return [one for one in platforms.misfits({**more, **held}, machines, self._offered) if one.host in held]

    def _offered(self, image: str, there: Mapping[str, Held | None]) -> Collection[str]:
        """Return what an image is for: by its registry, and where that cannot be asked, by what nodes hold."""
        holders = [one for one in there.values() if one]
        known = {one.architecture for one in holders if one.architecture}
        if image in self.built or (holders and not any(one.digests for one in holders)):
            return known or NATIVE.get(self.member(self._manager.name).machine, ())
        from swarmhub.images import platforms

        digest = self.newest.get(image) or pull.chosen(image, there) or ""
        is_known = any(digest in one.digests for one in holders)
        reference = f"{pull.split(image)[0]}@{digest}" if is_known else image
        if reference not in self._offers:
            self._offers[reference] = platforms.offered(self._manager, reference)
        return self._offers[reference] or known

    def _images(self, hosts: Sequence[str]) -> dict[str, Holding | StepError]:
        return dict(zip(hosts, gather([partial(self.held, host) for host in hosts]), strict=True))

    def held(self, host: str) -> dict[str, Held | None]:
        """Return the notebook images that a host holds."""
        return self._once(("images", host), partial(pull.observe_all, self._hosts[host], self._settings.images))

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

    def registry_digest(self, image: str) -> str:
        """Return the digest that a notebook image's tag has in its registry now."""
        return self._once(("registry", image), partial(pull.ask_registry, self._manager, image))

    def swarm(self) -> Swarm:
        """Return the swarm; the manager must be one."""
        nodes.check_manager(self._manager.name, self.member(self._manager.name))
        return self._once("swarm", partial(nodes.observe_swarm, self._manager))

    def kept(self, wanted: Json) -> Json:
        """Return what the swarm's managers keep of a service's spec."""
        return specs.kept(wanted, self.swarm().engine)

    def network(self) -> ExistingNetwork | None:
        """Return the overlay network."""
        return self._once("network", partial(self._network, self._settings.network.name))

    def proxy_network(self) -> ExistingNetwork | None:
        """Return the network of the hub and a separate proxy; it is not sought where there is none."""
        if not self._settings.proxy.separate:
            return None
        return self._once("proxy network", partial(self._network, network.of_proxy(self._settings)["Name"]))

    def _network(self, name: str) -> ExistingNetwork | None:
        return network.read(name, *both(self._networks, self._services))

    def _networks(self) -> tuple[Json, ...]:
        """Return the networks of the hub, by their names or longer ones."""
        names = [self._settings.network.name]
        names += [network.of_proxy(self._settings)["Name"]] if self._settings.proxy.separate else []
        return self._once("networks", partial(network.listed, self._manager, names))

    def _services(self) -> tuple[Json, ...]:
        """Return all services of the swarm, whoever's they are."""
        return self._once("services", lambda: tuple(self._manager.engine.get("/services")))

    def _beside(self, name: str, *, is_wanted: bool) -> Json | None:
        """Return one of the hub's own services; somebody else's of its name is none, and in the way where it `is_wanted`."""
        found = next((one for one in self._services() if one["Spec"]["Name"] == name), None)
        self._require_ours(found)
        if found and (user := servers.user(found)):  # an older hub has started it
            cause = f"the server of {user} has the name {name}, which one of the hub's own services needs"
            raise StepError(self._manager.name, cause, f"Stop that server: docker service rm {name}; it gets another name")
        if found is None or LABEL in (found["Spec"].get("Labels") or {}):
            return found
        if is_wanted:
            cause = f"somebody else has made the service {name}, whose name one of the hub's own services needs"
            raise StepError(self._manager.name, cause, "Rename it, or name the hub otherwise: hub.service")
        return None

    def _require_ours(self, found: Json | None) -> None:
        """Make sure that a service with a name of this hub's is not another hub's, nor a server of another hub's."""
        labels = (found["Spec"].get("Labels") or {}) if found else {}
        holder, hub = labels.get(LABEL) or labels.get(servers.LABEL), self._settings.hub.service
        if found and holder not in (None, hub):
            cause = f"the service {found['Spec']['Name']} belongs to another hub, {holder}"
            raise StepError(self._manager.name, cause, "Give this hub another name in hosts.toml: hub.service")

    def proxy(self) -> Json | None:
        """Return the separate proxy's service."""
        return self._beside(proxy.name(self._settings), is_wanted=self._settings.proxy.separate)

    def engine_filter(self) -> Json | None:
        """Return the service of the filter between the hub and the engine."""
        hub = self._settings.hub
        found = self._beside(engine_filter.name(hub.service), is_wanted=hub.engine == "filter")
        return found and hub_service.with_files(found, self.service().files)

    @cached_property
    def logins(self) -> dict[str, SecretStr]:
        """Return the operator's logins to the registries of the notebook images; no change to the cluster makes them others."""
        found = {registry: self._manager.engine.registry_login(registry) for registry in self.registries()}
        return {registry: SecretStr(login) for registry, login in found.items() if login}

    def registries(self) -> list[str]:
        """Return the registries of the notebook images."""
        return sorted({policy.registry(image) for image in self._settings.images if image not in self.built} - {""})

    def renewal(self) -> Json | None:
        """Return the service that renews the certificate."""
        return self._beside(renewal.name(self._settings), is_wanted=renewal.is_wanted(self._settings))

    def has_schedule(self) -> bool:
        """Tell whether the cluster makes backups itself, or is to."""
        return self._settings.backup.every is not None or self._schedule() is not None

    def _schedule(self) -> Json | None:
        settings = self._settings
        return self._beside(beside.schedule(settings.hub.service), is_wanted=settings.backup.every is not None)

    def schedule(self) -> "ExistingSchedule":
        """Return the service that makes backups, with its secret and what a deploy has left for it."""
        from swarmhub.services.schedule import service  # most clusters make none

        return service.existing(self._schedule(), self.service())

    def scheduled(self, host: str) -> "NodeState | None":
        """Return how a host's parts of the backups stand that the cluster makes; it is not asked where it makes none.

        Raises:
            StepError: the schedule does not run there.

        """
        if self._settings.backup.every is None:
            return None
        from swarmhub.services.schedule import state

        hub = self._settings.hub.service
        return self._once(("scheduled", host), partial(state.observe, self._hosts[host], hub))

    def renewed(self) -> RenewalState | None:
        """Return how the certificate's renewal stands; it is not asked for where there is none."""
        if not renewal.is_wanted(self._settings):
            return None
        return self._once("renewed", partial(renewal.observe, self._manager, self._settings))

    def volume_holder(self) -> str:
        """Return the name of another hub that has the hub's volume mounted; nothing, if there is none.

        A service of somebody's that saves the volume is no hub.
        """
        name, hub = self._settings.volume.name, self._settings.hub.service
        others = (one["Spec"] for one in self._services() if (one["Spec"].get("Labels") or {}).get(LABEL, hub) != hub)
        return next((str(spec["Name"]) for spec in others if name in volume.mounted(spec)), "")

    def hub_too_near(self) -> str:
        """Return the name of another hub whose servers could be called like this one's; nothing, if there is none."""
        return hub_service.too_near(self._services(), self._settings.hub.service)

    def network_holder(self) -> str:
        """Return the name of another hub that is on the hub's network; nothing, if there is none."""
        found, hub = self.network(), self._settings.hub.service
        on_it = [one for one in self._services() if found and found.id in network.targets(one)]
        holders = [(one["Spec"].get("Labels") or {}).get(LABEL, hub) for one in on_it]
        return next((one for one in holders if one != hub), "")

    def volume(self) -> Json | None:
        """Return the hub's volume."""
        return self._once("volume", partial(volume.observe, self._manager, self._settings.volume.name))

    def volume_containers(self) -> tuple[Json, ...]:
        """Return the containers on the manager that somebody else has made, and that have the hub's volume."""
        return self._once("volume's containers", partial(volume.containers, self._manager, self._settings.volume.name))

    def certificate(self) -> Certificate | None:
        """Return the certificate on the manager."""
        return self._once("certificate", partial(certs.observe, self._manager, self._settings))

    def authorities(self) -> ssl.SSLContext:
        """Return this machine's authorities, which take it a while to read: better while hosts answer."""
        return self._once("authorities", ssl.create_default_context)

    def hub_image(self, tag: str) -> bool:
        """Tell whether the manager holds the hub's image."""
        return self._once(("hub image", tag), partial(builder.observe, self._manager, tag))

    def on_manager(self, image: str) -> Held | None:
        """Return an image as the manager holds it, whatever it is for."""
        return self._once(("on the manager", image), partial(pull.observe, self._manager, image))

    def architecture(self) -> str:
        """Return the architecture of the manager's engine."""
        return str(self._once("architecture", lambda: self._manager.engine.get("/version")).get("Arch", ""))

    def _tasks(self) -> tuple[Json, ...]:
        """Return the tasks of the services that a deploy makes sure of."""
        settings = self._settings
        names = [settings.hub.service, firewall.name(settings.hub.service)]
        names += [proxy.name(settings)] if settings.proxy.separate else []
        names += [renewal.name(settings)] if renewal.is_wanted(settings) else []
        names += [beside.schedule(settings.hub.service)] if settings.backup.every else []
        return self._once("tasks", partial(converge.tasks, self._manager, *names))

    def running(self, service: str) -> tuple[Json | None, tuple[Json, ...]]:
        """Return a service that a deploy makes sure of, and its tasks."""
        found = next((one for one in self._services() if one["Spec"]["Name"] == service), None)
        return found, tuple(task for task in self._tasks() if found and task["ServiceID"] == found["ID"])

    def service(self) -> ExistingHub:
        """Return the hub's service and its secrets."""
        found = self._once("service", partial(hub_service.observe, self._manager, self._settings.hub.service))
        self._require_ours(found.service)
        return found

    def firewall(self) -> ExistingFirewall:
        """Return the firewall's service and its tasks."""
        found = self._once("firewall", partial(firewall.observe, self._manager, self._settings.hub.service, self._tasks))
        self._require_ours(found.service)
        return found

    def firewall_image(self, host: str) -> str | None:
        """Return the id of the firewall's image on a host."""
        return self._once(
            ("firewall' image", host), partial(firewall_image.observe, self._hosts[host], self._settings.hub.service)
        )

    def endpoints(self, host: str) -> Endpoints:
        """Return by which addresses a host is reached; nobody asks where no firewall is wanted."""
        if not self._settings.firewall.enabled:
            return Endpoints()
        return self._once(("endpoints", host), partial(firewall.observe_host, self._hosts[host]))

    def releases(self) -> tuple[Release, ...]:
        """Return the releases of the hub's service, the oldest first."""
        return self._once("releases", partial(releases.observe, self._manager, self._settings.hub.service))

    def log_drivers(self) -> dict[str, tuple[str, str]]:
        """Return by each node's id its host and the driver by which its engine keeps logs."""
        members = {host: one for host, one in self.members().items() if isinstance(one, Member)}
        return {one.node: (host, one.logs) for host, one in members.items()}

    def holder(self) -> LockHolder | None:
        """Return who holds the cluster's lock."""
        return self._once("holder", partial(lock.observe, self._manager))

    def _once(self, question: object, ask: Callable[[], T]) -> T:
        # Who asks the same meanwhile waits for the answer.
        with self._asking.setdefault(question, Lock()):
            if question not in self._seen:
                self._seen[question] = ask()
            answer: T = self._seen[question]
            return answer
