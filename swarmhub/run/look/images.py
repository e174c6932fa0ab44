"""The images as nodes hold them, and for which machines they are."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial

from pydantic import SecretStr

from hub.filter import policy
from swarmhub.cluster.nodes import Member
from swarmhub.errors import StepError
from swarmhub.firewall import image as firewall_image
from swarmhub.host import Host
from swarmhub.images import builder, platforms, pull
from swarmhub.images.builder import Recipe
from swarmhub.images.hub import build
from swarmhub.images.platforms import Misfit
from swarmhub.images.pull import Held, Holding
from swarmhub.parallel import at_once, gather
from swarmhub.run.look.nodes import Nodes
from swarmhub.settings import Settings


class Images(Nodes):
    """What has been observed of the images."""

    def __init__(
        self, settings: Settings, hosts: Mapping[str, Host], manager: str, asked: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(settings, hosts, manager, asked)
        # Of notebook images, where the run has asked the registries what is newer: by tag, the digest.
        self.newest: Mapping[str, str] = {}
        # Of images that notebook images are built on, the same where their tags have moved.
        self.moved: Mapping[str, str] = {}
        # Those that are built here, by their tags: no registry knows them.
        self.built: Collection[str] = ()
        # For what registries have images: no change to the cluster makes that another answer.
        self._offers: dict[str, Collection[str]] = {}

    @cached_property
    def builds(self) -> tuple[Recipe, ...]:
        """Return the images to build, read once: no change to the cluster makes them others."""
        return build.wanted(self._settings)

    @cached_property
    def _of_schedule(self) -> tuple[str, ...]:
        """Return the image that backups on the cluster are made with; none, where it makes none."""
        if self._settings.backup.every is None:
            return ()
        from swarmhub.images import restic  # most clusters make none yet

        return tuple(one.tag for one in restic.wanted(self._settings))

    def _hub_images(self) -> None:
        at_once([partial(self.hub_image, tag) for tag in (*(image.tag for image in self.builds), *self._of_schedule)])

    def hub_image(self, tag: str) -> bool:
        """Tell whether the manager holds the hub's image."""
        return self._once(("hub image", tag), partial(builder.observe, self._manager, tag))

    def on_manager(self, image: str) -> Held | None:
        """Return an image as the manager holds it, whatever it is for."""
        return self._once(("on the manager", image), partial(pull.observe, self._manager, image))

    def firewall_image(self, host: str) -> str | None:
        """Return the id of the firewall's image on a host."""
        return self._once(
            ("firewall' image", host), partial(firewall_image.observe, self._hosts[host], self._settings.hub.service)
        )

    def images(self, hosts: Sequence[str]) -> dict[str, Holding | StepError]:
        """Return what each of the hosts holds of the notebook images that it can run, or why that cannot be told."""
        seen = self._images(hosts)
        held = {host: one for host, one in seen.items() if not isinstance(one, StepError)}
        return {**seen, **self.fitting(held)}

    def fitting(self, held: Mapping[str, Holding], machines: Mapping[str, str] | None = None) -> dict[str, Holding]:
        """Return what hosts hold of those images that they can run: of the others nothing is wanted of them."""
        dropped = {(one.host, one.image) for one in self.misfits(held, machines)}
        return {host: {image: it for image, it in one.items() if (host, image) not in dropped} for host, one in held.items()}

    def unfit(self, hosts: Sequence[str]) -> list[Misfit]:
        """Return which of the hosts cannot run which notebook images."""
        seen = self._images(hosts)
        return self.misfits({host: one for host, one in seen.items() if not isinstance(one, StepError)})

    def misfits(self, held: Mapping[str, Holding], machines: Mapping[str, str] | None = None) -> list[Misfit]:
        """Return which hosts cannot run which of the images, from what they hold of them, and the others.

        The hosts are asked for their machines, unless these are known.
        """
        others: list[str] = []
        if machines is None:
            machines = {host: one.machine for host, one in self.members().items() if isinstance(one, Member)}
            others = [host for host in machines if host not in held] if len({*machines.values()}) > 1 else []
        more = {host: one for host, one in self._images(others).items() if not isinstance(one, StepError)}
        return [one for one in platforms.misfits({**more, **held}, machines, self._offered) if one.host in held]

    def _offered(self, image: str, there: Mapping[str, Held | None]) -> Collection[str]:
        """Return what an image is for: by its registry, and where that cannot be asked, by what nodes hold."""
        holders = [one for one in there.values() if one]
        known = {one.architecture for one in holders if one.architecture}
        if image in self.built or (holders and not any(one.digests for one in holders)):
            return known or platforms.native(self.member(self._manager.name).machine)
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

    def registry_digest(self, image: str) -> str:
        """Return the digest that a notebook image's tag has in its registry now."""
        return self._once(("registry", image), partial(pull.ask_registry, self._manager, image))

    @cached_property
    def logins(self) -> dict[str, SecretStr]:
        """Return the operator's logins to the registries of the notebook images; no change to the cluster makes them others."""
        found = {registry: self._manager.engine.registry_login(registry) for registry in self.registries()}
        return {registry: SecretStr(login) for registry, login in found.items() if login}

    def registries(self) -> list[str]:
        """Return the registries of the notebook images."""
        return sorted({policy.registry(image) for image in self._settings.images if image not in self.built} - {""})
