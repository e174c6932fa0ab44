"""One look at the cluster: every question is asked once, until something has changed."""

from collections.abc import Callable
from functools import partial

from swarmhub.parallel import at_once
from swarmhub.run.look.images import Images
from swarmhub.run.look.services import Services


class Look(Images, Services):
    """What has been observed on the cluster, kept for the steps of one run."""

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
