"""What the service stands on: each of it is a step's work, and named if that step has not been done."""

from collections.abc import Mapping

from swarmhub import certs, hub_image, images, network
from swarmhub.differences import known_after
from swarmhub.errors import StepError
from swarmhub.look import Look
from swarmhub.plan import Plan
from swarmhub.service import Parts
from swarmhub.settings import Settings


def require(settings: Settings, look: Look, manager: str) -> Parts:
    """Return what the service stands on.

    Raises:
        StepError: a step before this one has not been done; the message names it.

    """
    swarm, found = look.swarm(), look.network()
    if found is None:
        raise StepError(manager, f"there is no network {settings.network.name}", "Create it first: fab network")
    if look.volume() is None:
        raise StepError(manager, f"there is no volume {settings.volume.name}", "Create it first: fab volume")
    certificate = certs.require(look.certificate(), manager)
    tag = hub_image.desired(settings).tag
    if not look.hub_image(tag):
        raise StepError(manager, f"there is no image {tag}", "Build it first: fab build-hub")
    image, held = settings.notebook.image, images.reached(look.images(settings.hosts.all), settings.hosts.all)
    wanted = images.chosen(image, held)
    lacking = [host for host in settings.hosts.all if wanted is None or not images.holds(held.get(host), wanted)]
    if wanted is None or lacking:
        raise StepError(
            lacking[0], f"not the same {image} on every node: {', '.join(lacking)} differ", "First: fab prepull-all"
        )
    pinned = images.pinned(image, wanted, held[manager])
    node = look.member(manager).node
    return Parts(node, found.id, tag, {image: pinned}, certificate.fingerprint, swarm.cluster)


def foresee(settings: Settings, look: Look, manager: str, before: Mapping[str, Plan], digest: str) -> Parts:
    """Return what the service will stand on once the steps `before` it are done; `digest` is the notebook image's.

    What such a step makes and nobody can know yet reads "known after" it.
    """
    found, certificate = look.network(), look.certificate()
    network_id = known_after(network.STEP) if found is None or before[network.STEP].changes else found.id
    is_new = certificate is None or before[certs.STEP].changes
    fingerprint = known_after(certs.STEP) if certificate is None or is_new else certificate.fingerprint
    image, held = settings.notebook.image, look.images(settings.hosts.all)[manager]
    there = images.Held("", frozenset({digest})) if before[images.STEP].changes else held
    pinned = images.pinned(image, digest, there if isinstance(there, images.Held) else None)
    return Parts(
        look.member(manager).node,
        network_id,
        hub_image.desired(settings).tag,
        {image: pinned},
        fingerprint,
        look.swarm().cluster,
    )
