"""What the service stands on: each of it is a step's work, and named if that step has not been done."""

from swarmhub import certs, hub_image, images
from swarmhub.errors import StepError
from swarmhub.look import Look
from swarmhub.service import Parts
from swarmhub.settings import Settings


def require(settings: Settings, look: Look, manager: str) -> Parts:
    """Return what the service stands on.

    Raises:
        StepError: a step before this one has not been done; the message names it.

    """
    swarm, network = look.swarm(), look.network()
    if network is None:
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
    return Parts(node, network.id, tag, pinned, certificate.fingerprint, swarm.cluster)
