"""The filter between the hub and the engine: a service with the socket, which the hub then is without."""

import copy
import json
from dataclasses import replace
from typing import Any

from hub.filter import policy
from hub.shared import services
from swarmhub.engine import replicated, specs
from swarmhub.engine.replicated import LABEL, SECOND
from swarmhub.host import Json
from swarmhub.plan.plans import Change, Cost
from swarmhub.services.hub import SOCKET, Parts
from swarmhub.settings import Settings, handed

# The engine's ping is no question that the hub has.
HEALTHY = f"curl --fail --silent --max-time 2 --output /dev/null --unix-socket {policy.SOCKET} http://engine/version"


def name(hub: str) -> str:
    """Return the name of a hub's filter: of the service, and of the volume in which its socket is."""
    return services.engine(hub)


def desired(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Return the filter's whole spec."""
    hub = settings.hub.service
    tables = json.loads(handed.document(settings, parts.images))
    allowed = policy.of(tables, hub, settings.network.name, (settings.volume.name, name(hub)))
    container = {
        "Image": parts.hub_image,
        "Args": ["python3", "-m", "hub.filter"],
        "Env": [f"{policy.VARIABLE}={policy.document(allowed)}"],
        "Mounts": [
            {"Type": "bind", "Source": SOCKET, "Target": SOCKET},
            {"Type": "volume", "Source": name(hub), "Target": policy.FOLDER},
        ],
        **replicated.privileges(),
        "Healthcheck": replicated.healthcheck(f"until {HEALTHY}; do sleep 0.1; done"),
        "StopGracePeriod": 10 * SECOND,
    }
    return {
        "Name": name(hub),
        "Labels": {LABEL: hub},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": replicated.on_manager(parts.node),
            "RestartPolicy": {"Condition": "any", "Delay": SECOND},
        },
        **replicated.rollout(),
    }


def before(wanted: dict[str, Any] | None, found: Json | None, manager: str) -> list[Change]:
    """Return what makes the filter as the hub will need it."""
    if wanted is None:
        return []
    if found is None:
        return [replicated.create(wanted, manager)]
    differs = specs.compare(wanted, found["Spec"])
    # The hub waits for its answers, and nobody else asks.
    return [replace(replicated.update(wanted, found, manager, differs), cost=Cost.NOTHING)] if differs else []


def allowing(hub: Json, found: Json | None, manager: str) -> list[Change]:
    """Return what makes the filter that of a hub's spec: of its image, letting it have the images that it hands out."""
    if found is None:
        return []
    spec = copy.deepcopy(found["Spec"])
    container = spec["TaskTemplate"]["ContainerSpec"]
    now = policy.load(specs.environment(container))
    of_hub = hub["TaskTemplate"]["ContainerSpec"]
    tables = json.loads(specs.environment(of_hub)[handed.VARIABLE])
    allowed = policy.of(tables, now.service, now.networks[0], now.reserved)
    container |= {"Image": of_hub["Image"], "Env": [f"{policy.VARIABLE}={policy.document(allowed)}"]}
    return before(spec, found, manager)


def after(wanted: dict[str, Any] | None, found: Json | None, manager: str) -> list[Change]:
    """Return what takes a filter away that no hub needs any more."""
    if wanted is not None or found is None:
        return []
    # Its volume holds nothing but a socket, and hubs that ended may have it mounted: it goes with `teardown`.
    return [replicated.removal("service", found["Spec"]["Name"], found["ID"], manager)]
