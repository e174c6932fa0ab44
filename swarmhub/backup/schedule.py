"""What the cluster needs to make backups itself: when to save what of which node, and what opens the repository."""

import json

from pydantic import SecretStr

from hub.shared import services
from swarmhub.backup import contents, repository, saving
from swarmhub.backup.repository import Repository
from swarmhub.certificate.certbot import FOLDER as CERTIFICATES
from swarmhub.cluster.nodes import Swarm
from swarmhub.engine import containers
from swarmhub.host import Json
from swarmhub.notebooks import homes
from swarmhub.settings import Settings

# Its value on the containers that the schedule starts is the hub's.
LABEL = "swarmhub.schedule"


def times(settings: Settings, where: Repository, swarm: Swarm, node: str, manager: str) -> Json:
    """Return when to save what; `node` is the id of the hub's.

    Raises:
        StepError: homes are where swarmhub cannot reach them.

    """
    hub, backup = settings.hub.service, settings.backup
    shared = contents.homes_of(settings, {}, [], manager).shared
    has_volumes = backup.homes and settings.home.keep and not shared
    return {
        "hub": hub,
        "domain": settings.hub.domain,
        "node": node,
        "hosts": {one.id: one.host for one in swarm.nodes},
        "every": backup.every,
        "at": backup.begins,
        "verify": backup.verify,
        "keep": saving.kinds(settings),
        "volumes": has_volumes,
        "by_hand": homes.pattern(settings.home.template) if has_volumes else "",
        "shared": list(shared),
        "data": contents.of_hub(settings, read_only=True),
        "paths": [contents.DATA, contents.STAGE, *([CERTIFICATES] if settings.proxy.takes_tls else [])],
        "out": [f"{contents.DATA}/{name}" for name in saving.LEFT_OUT],
        "scratch": services.scheduled_drill(hub),
        "evidence": services.backups(hub),
        "body": _body(where),
    }


def _body(where: Repository) -> Json:
    """Return how a container of the schedule is made: as an operator's is, but a run that clears up leaves it alone."""
    return {**repository.body(where, ()), "Labels": {containers.LABEL: containers.SCHEDULED, LABEL: where.hub}}


def opening(where: Repository, database: SecretStr | None) -> SecretStr:
    """Return what opens the repository, and the hub's database where that is on a server."""
    of_server = {"database": database.get_secret_value()} if database else {}
    return SecretStr(json.dumps({**where.job, **of_server}, sort_keys=True))
