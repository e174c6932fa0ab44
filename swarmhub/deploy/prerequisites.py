"""What the service stands on: each of it is a step's work, and named if that step has not been done."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from swarmhub.certificate import certs
from swarmhub.cluster import nodes
from swarmhub.cluster.nodes import Member
from swarmhub.engine.swarm import specs
from swarmhub.errors import StepError
from swarmhub.images import pull
from swarmhub.images.pull import Held, Holding
from swarmhub.notebooks import places
from swarmhub.notebooks.places import Places
from swarmhub.parallel import every
from swarmhub.plan.differences import LATER, known_after
from swarmhub.plan.plans import Change, Plan
from swarmhub.run.look import Look
from swarmhub.services import network, proxy
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.settings import Settings, handed

PULL = "First: fab prepull-all"


def require_apart(settings: Settings, look: Look, manager: str) -> None:
    """Make sure that a new hub's servers cannot have the names of another hub's.

    Raises:
        StepError: they can.

    """
    if (other := look.hub_too_near()) and look.service().service is None:
        cause = f"servers of the hubs {settings.hub.service} and {other} could have the same names"
        raise StepError(manager, cause, "Give this hub another name in hosts.toml: hub.service")


def elsewhere(look: Look, manager: str) -> StepError | None:
    """Return what is wrong where another manager than the one in use has the hub: all steps would be done on the wrong one."""
    with suppress(StepError):  # whose the service is, is told by the steps that need it
        hub = look.service().service
        node = specs.pinned(hub["Spec"]) if hub else ""
        if node and node != look.member(manager).node:
            host = next((one.host for one in look.swarm().nodes if one.id == node), node)
            cause = f"the hub runs on {host}, where its database and certificate are"
            remedy = f"Put {host} first in hosts.managers, or name it with -H; to move the hub here: fab move-hub {manager}"
            return StepError(manager, cause, remedy, nodes.STEP)
    return None


def require(settings: Settings, look: Look, manager: str) -> Parts:
    """Return what the service stands on.

    Raises:
        StepError: a step before this one has not been done; the message names it.

    """
    require_apart(settings, look, manager)
    swarm, found = look.swarm(), look.network()
    if found is None:
        raise StepError(manager, f"there is no network {settings.network.name}", "Create it first: fab network")
    if look.volume() is None:
        raise StepError(manager, f"there is no volume {settings.volume.name}", "Create it first: fab volume")
    certificate = certs.require(look.certificate(), settings, manager)
    tags = [one.tag for one in look.builds]
    if lacking := [tag for tag in tags if not look.hub_image(tag)]:
        raise StepError(manager, f"there is no image {lacking[0]}", "Build it first: fab build-hub")
    present = look.present()
    held = pull.reached(look.images(present), present)
    pinned = {image: _pinned(present, image, held, manager) for image in settings.images}
    _require_labels(look, pinned, held)
    member, inner = look.member(manager), look.proxy_network()
    if settings.proxy.separate and inner is None:
        name = network.of_proxy(settings)["Name"]
        raise StepError(manager, f"there is no network {name}", "Create it first: fab network")
    of_proxy = (tags[1], inner.id, inner.subnet, _token(settings, look)) if inner else ()
    of_hub = (member.node, found.id, tags[0], pinned, certificate.fingerprint if certificate else "", swarm.cluster)
    if unmarked := next((folder for folder, changes in marking(settings, look, manager).items() if changes), ""):
        raise StepError(manager, f"{unmarked} has no marker yet", "Make it first: fab volume")
    return replace(Parts(*of_hub, *of_proxy), logs=member.logs, marked=places.marked(_folders(look)), subnet=found.subnet)


def marking(settings: Settings, look: Look, manager: str) -> dict[str, list[Change]]:
    """Return by folder what marks those from which homes and shared folders are mounted.

    Raises:
        StepError: one is not mounted, or is not what it was.

    """
    if not (wants := places.wanted(settings)):
        return {}
    service = look.service().service
    required = handed.marked(hub_service.settings_of(service["Spec"])) if service else ()
    return places.marking(wants, _folders(look), required, manager)


def _folders(look: Look) -> dict[str, Places]:
    hosts = look.present()
    return dict(zip(hosts, every([partial(look.folders, host) for host in hosts]), strict=True))


def _token(settings: Settings, look: Look) -> str:
    return proxy.token_name(settings.hub.service, look.proxy(), look.service().secrets)


def _pinned(present: Sequence[str], image: str, held: Mapping[str, Holding], manager: str) -> str:
    """Return the reference of an image that every node holds which can run it."""
    there = pull.of(image, held)
    wanted = pull.chosen(image, there)
    # One that cannot be asked may lack it.
    asked = [host for host in present if host in there or host not in held]
    lacking = [host for host in asked if wanted is None or not pull.holds(there.get(host), wanted)]
    if wanted is None or lacking:
        raise StepError([*lacking, manager][0], f"not the same {image} on every node: {', '.join(lacking)} differ", PULL)
    return pull.pinned(image, wanted, there.get(manager) or next(iter(there.values())))


def _require_labels(look: Look, pinned: Mapping[str, str], held: Mapping[str, Holding]) -> None:
    """Make sure that the hub finds nodes to place servers on."""
    by_id = {node.id: node for node in look.swarm().nodes}
    for host, member in look.members().items():
        wanted = {pull.short(pull.digest_of(one)) for image, one in pinned.items() if image in held.get(host, ())}
        if isinstance(member, Member) and member.node in by_id and not wanted <= by_id[member.node].images:
            raise StepError(host, "the swarm does not know which images it holds", PULL)


def foresee(settings: Settings, look: Look, manager: str, before: Mapping[str, Plan], wanted: Mapping[str, str]) -> Parts:
    """Return what the service will stand on once the steps `before` it are done; `wanted` has the images' digests.

    What such a step makes and nobody can know yet reads "known after" it.
    """
    found, certificate, member = look.network(), look.certificate(), look.member(manager)
    network_id = known_after(network.STEP) if found is None or before[network.STEP].changes else found.id
    is_new = certificate is None or before[certs.STEP].changes
    fingerprint = known_after(certs.STEP) if certificate is None or is_new else certificate.fingerprint
    held, inner = look.held(manager), look.proxy_network()
    tags = [one.tag for one in look.builds]
    of_proxy = (inner.id, inner.subnet) if inner else (known_after(network.STEP),) * 2
    pulled = {image: _pulled(wanted[image]) for image in pull.lacking(wanted, held)}
    parts = Parts(
        member.node,
        network_id,
        tags[0],
        {image: pull.pinned(image, digest, pulled.get(image, held[image])) for image, digest in wanted.items()},
        fingerprint,
        look.swarm().cluster,
        *((tags[1], *of_proxy, _token(settings, look)) if settings.proxy.separate else ()),
    )
    made = {folder for folder, changes in marking(settings, look, manager).items() if changes}
    marked = places.marked(_folders(look)) | made
    return replace(parts, logs=member.logs, marked=marked, subnet=found.subnet if found else "")


def _pulled(wanted: str) -> Held:
    """Return an image as a node will hold it: under its digest, or, where it is built here, by its id alone."""
    return Held(wanted) if wanted.startswith(LATER) else Held("", frozenset({wanted}))
