"""The services that run, and what they need: network, volume, certificate, releases."""

import ssl
from functools import partial
from typing import TYPE_CHECKING

from hub.shared import services as beside
from swarmhub.certificate import certs
from swarmhub.certificate.certs import Certificate
from swarmhub.engine.swarm import converge
from swarmhub.engine.swarm.replicated import LABEL, RENAME
from swarmhub.errors import StepError
from swarmhub.firewall import firewall
from swarmhub.firewall.firewall import ExistingFirewall
from swarmhub.history import lock, releases
from swarmhub.history.lock import LockHolder
from swarmhub.history.releases import Release
from swarmhub.host import Json
from swarmhub.notebooks import servers
from swarmhub.parallel import both
from swarmhub.run.look.nodes import Nodes
from swarmhub.services import engine_filter, network, proxy, renewal, volume
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import ExistingHub
from swarmhub.services.network import ExistingNetwork
from swarmhub.services.renewal import RenewalState

if TYPE_CHECKING:
    from swarmhub.services.schedule.service import ExistingSchedule
    from swarmhub.services.schedule.state import NodeState


class Services(Nodes):
    """What has been observed of the services."""

    def network(self) -> ExistingNetwork | None:
        """Return the overlay network."""
        return self._once("network", partial(self._network, self._settings.network.name))

    def proxy_network(self) -> ExistingNetwork | None:
        """Return the network of the hub and a separate proxy; it is not sought where there is none."""
        if not self._settings.proxy.separate:
            return None
        return self._once("proxy network", partial(self._network, network.of_proxy(self._settings)["Name"]))

    def network_holder(self) -> str:
        """Return the name of another hub that is on the hub's network; nothing, if there is none."""
        found, hub = self.network(), self._settings.hub.service
        on_it = [one for one in self._services() if found and found.id in network.targets(one)]
        holders = [(one["Spec"].get("Labels") or {}).get(LABEL, hub) for one in on_it]
        return next((one for one in holders if one != hub), "")

    def _network(self, name: str) -> ExistingNetwork | None:
        return network.read(name, *both(self._networks, self._services))

    def _networks(self) -> tuple[Json, ...]:
        """Return the networks of the hub, by their names or longer ones."""
        names = [self._settings.network.name]
        names += [network.of_proxy(self._settings)["Name"]] if self._settings.proxy.separate else []
        return self._once("networks", partial(network.listed, self._manager, names))

    def volume(self) -> Json | None:
        """Return the hub's volume."""
        return self._once("volume", partial(volume.observe, self._manager, self._settings.volume.name))

    def volume_holder(self) -> str:
        """Return the name of another hub that has the hub's volume mounted; nothing, if there is none.

        A service of somebody's that saves the volume is no hub.
        """
        name, hub = self._settings.volume.name, self._settings.hub.service
        others = (one["Spec"] for one in self._services() if (one["Spec"].get("Labels") or {}).get(LABEL, hub) != hub)
        return next((str(spec["Name"]) for spec in others if name in volume.mounted(spec)), "")

    def volume_containers(self) -> tuple[Json, ...]:
        """Return the containers on the manager that somebody else has made, and that have the hub's volume."""
        return self._once("volume's containers", partial(volume.containers, self._manager, self._settings.volume.name))

    def service(self) -> ExistingHub:
        """Return the hub's service and its secrets."""
        found = self._once("service", partial(hub_service.observe, self._manager, self._settings.hub.service))
        self._require_ours(found.service)
        return found

    def hub_too_near(self) -> str:
        """Return the name of another hub whose servers could be called like this one's; nothing, if there is none."""
        return hub_service.too_near(self._services(), self._settings.hub.service)

    def proxy(self) -> Json | None:
        """Return the separate proxy's service."""
        return self._beside(proxy.name(self._settings), is_wanted=self._settings.proxy.separate)

    def engine_filter(self) -> Json | None:
        """Return the service of the filter between the hub and the engine."""
        hub = self._settings.hub
        found = self._beside(engine_filter.name(hub.service), is_wanted=hub.engine == "filter")
        return found and hub_service.with_files(found, self.service().files)

    def renewal(self) -> Json | None:
        """Return the service that renews the certificate."""
        return self._beside(renewal.name(self._settings), is_wanted=renewal.is_wanted(self._settings))

    def renewed(self) -> RenewalState | None:
        """Return how the certificate's renewal stands; it is not asked for where there is none."""
        if not renewal.is_wanted(self._settings):
            return None
        return self._once("renewed", partial(renewal.observe, self._manager, self._settings))

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

    def firewall(self) -> ExistingFirewall:
        """Return the firewall's service and its tasks."""
        found = self._once("firewall", partial(firewall.observe, self._manager, self._settings.hub.service, self._tasks))
        self._require_ours(found.service)
        return found

    def running(self, service: str) -> tuple[Json | None, tuple[Json, ...]]:
        """Return a service that a deploy makes sure of, and its tasks."""
        found = next((one for one in self._services() if one["Spec"]["Name"] == service), None)
        return found, tuple(task for task in self._tasks() if found and task["ServiceID"] == found["ID"])

    def certificate(self) -> Certificate | None:
        """Return the certificate on the manager."""
        return self._once("certificate", partial(certs.observe, self._manager, self._settings))

    def authorities(self) -> ssl.SSLContext:
        """Return this machine's authorities, which take it a while to read: better while hosts answer."""
        return self._once("authorities", ssl.create_default_context)

    def releases(self) -> tuple[Release, ...]:
        """Return the releases of the hub's service, the oldest first."""
        return self._once("releases", partial(releases.observe, self._manager, self._settings.hub.service))

    def holder(self) -> LockHolder | None:
        """Return who holds the cluster's lock."""
        return self._once("holder", partial(lock.observe, self._manager))

    def _services(self) -> tuple[Json, ...]:
        """Return all services of the swarm, whoever's they are."""
        return self._once("services", lambda: tuple(self._manager.engine.get("/services")))

    def _tasks(self) -> tuple[Json, ...]:
        """Return the tasks of the services that a deploy makes sure of."""
        settings = self._settings
        names = [settings.hub.service, firewall.name(settings.hub.service)]
        names += [proxy.name(settings)] if settings.proxy.separate else []
        names += [renewal.name(settings)] if renewal.is_wanted(settings) else []
        names += [beside.schedule(settings.hub.service)] if settings.backup.every else []
        return self._once("tasks", partial(converge.tasks, self._manager, *names))

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
            raise StepError(self._manager.name, cause, RENAME)
        return None

    def _require_ours(self, found: Json | None) -> None:
        """Make sure that a service with a name of this hub's is not another hub's, nor a server of another hub's."""
        labels = (found["Spec"].get("Labels") or {}) if found else {}
        holder, hub = labels.get(LABEL) or labels.get(servers.LABEL), self._settings.hub.service
        if found and holder not in (None, hub):
            cause = f"the service {found['Spec']['Name']} belongs to another hub, {holder}"
            raise StepError(self._manager.name, cause, "Give this hub another name in hosts.toml: hub.service")
