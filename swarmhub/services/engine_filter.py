"""The filter between the hub and the engine: a service with the socket, which the hub then is without."""

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from hub.filter import policy
from hub.filter.policy import Policy
from hub.shared import services
from swarmhub.engine.swarm import configs, replicated, secrets, specs
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Cost, Progress
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import DATA, NETWORK, SOCKET, Parts
from swarmhub.settings import Settings, handed
from swarmhub.settings.secrets import swarm_name

# The engine's ping is no question that the hub has.
HEALTHY = f"curl --fail --silent --max-time 2 --output /dev/null --unix-socket {policy.SOCKET} http://engine/version"
# What Swarm says of an update after which the service's spec is that of the hub that runs.
SETTLED = ("completed", "rollback_completed")
# 38 MiB, and an answer of the engine's may have 64.
MEMORY = replicated.GIB // 2


def name(hub: str) -> str:
    """Return the name of a hub's filter: of the service, and of the volume in which its socket is."""
    return services.engine(hub)


def logins(hub: str, cluster: str, given: Mapping[str, SecretStr], wanted: Iterable[str], found: Json | None) -> dict[str, str]:
    """Map the files with logins to registries, that the filter reads, to their names in the swarm.

    `wanted` are the registries of the images that servers run, `given` the operator's own logins. One that this operator has
    not got stays as it is: another one has it.
    """
    before = _logins(found["Spec"]) if found else {}
    names = {}
    for registry in wanted:
        file = f"{policy.LOGIN}{registry}"
        if value := given.get(registry):
            names[file] = swarm_name(hub, f"login-{registry.replace(':', '_')}", value, cluster)
        elif file in before:
            names[file] = before[file]
    return names


def _logins(spec: Json) -> dict[str, str]:
    references = spec["TaskTemplate"]["ContainerSpec"].get("Secrets") or []
    return {one["File"]["Name"]: one["SecretName"] for one in references if one["File"]["Name"].startswith(policy.LOGIN)}


def needed(wanted: Mapping[str, str], found: Json | None, *, goes: bool) -> dict[str, str]:
    """Return the logins that may not be removed yet: one that is mounted in a filter that `goes`, the next run removes."""
    return {**wanted, **(_logins(found["Spec"]) if found and goes else {})}


def desired(settings: Settings, parts: Parts, logins: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Return the filter's whole spec; `logins` has the files with logins to registries by their names in the swarm."""
    hub = settings.hub.service
    tables = json.loads(hub_service.handed_to(settings, parts))
    allowed = policy.of(tables, hub, settings.network.name, (settings.volume.name, name(hub)))
    container = {
        "Image": parts.hub_image,
        "Args": ["python3", "-m", "hub.filter"],
        "Configs": [_file(hub, allowed)],
        **({"Secrets": [secrets.reference(file, in_swarm) for file, in_swarm in logins.items()]} if logins else {}),
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
            **replicated.limits(MEMORY),
            **replicated.logged(parts.logs),
        },
        **replicated.rollout(),
    }


def before(wanted: Json | None, found: Json | None, manager: str) -> list[Change]:
    """Return what lets the hub that is to come ask for what it needs, and the one that runs go on."""
    if wanted is None:
        return []
    if found is None:
        return [replicated.tidied(replicated.create(wanted, manager), wanted)]
    change = _update(_widened(wanted, found["Spec"]), found["Spec"], found, manager)
    return [replace(one, undo=partial(_settle, wanted["Labels"][LABEL])) for one in change]


def after(wanted: Json | None, found: Json | None, manager: str) -> list[Change]:
    """Return what lets the new hub alone ask, when the old one is gone; or what takes a filter away that no hub needs."""
    if found is None:
        return []
    if wanted is None:
        # Its volume holds nothing but a socket, and hubs that ended may have it mounted: it goes with `teardown`.
        gone = replicated.removal("service", found["Spec"]["Name"], found["ID"], manager)
        return [replicated.tidied(gone, found["Spec"])]
    return _update(wanted, _widened(wanted, found["Spec"]), found, manager, again=True)


def of_hub(hub: Json, found: Json) -> Json:
    """Return the spec that a filter has for the hub of a spec: of its image, letting it have the images that it hands out."""
    spec: Json = copy.deepcopy(found["Spec"])
    container, its = (one["TaskTemplate"]["ContainerSpec"] for one in (spec, hub))
    environment, tables = specs.environment(its), json.loads(hub_service.settings_of(hub))
    container["Image"] = its["Image"]
    # Its image is that of the hub, and looks for its policies where that looks for its settings.
    container["Env"] = [f"{handed.POLICY_VARIABLE}="] if handed.VARIABLE in environment else []
    # Not by the filter's own policy, which somebody may have broken.
    reserved = tuple(mount["Source"] for mount in its["Mounts"] if mount["Target"] in (DATA, policy.FOLDER))
    return _allowing(spec, policy.of(tables, hub["Name"], environment[NETWORK], reserved))


def _widened(wanted: Json, found: Json) -> Json:
    """Return the wanted spec, allowing besides what the one that was found allows."""
    (new,) = _policies(wanted)
    return _allowing(wanted, new, *(old for old in _policies(found) if not policy.covers(new, old)))


def _policies(spec: Json) -> tuple[Policy, ...]:
    """Return what a filter allows; nothing, where somebody has given it what is no policy."""
    try:
        in_environment = specs.environment(spec["TaskTemplate"]["ContainerSpec"]).get(handed.POLICY_VARIABLE, "")
        return policy.load(configs.content(spec, str(policy.FILE)) or in_environment)
    except ValueError:
        return ()


def _allowing(spec: Json, *policies: Policy) -> Json:
    """Return a filter's spec with other policies, where it has them: in its file, or of an earlier release in a variable."""
    spec = copy.deepcopy(spec)
    container = spec["TaskTemplate"]["ContainerSpec"]
    is_earlier = handed.POLICY_VARIABLE in specs.environment(container)
    container["Env"] = [f"{handed.POLICY_VARIABLE}={policy.document(*policies)}"] if is_earlier else []
    container["Configs"] = [] if is_earlier else [_file(spec["Labels"][LABEL], *policies)]
    return spec


def _file(hub: str, *policies: Policy) -> Json:
    return configs.reference(str(policy.FILE), f"{hub}-policies", policy.document(*policies))


def _update(wanted: Json, before: Json, found: Json, manager: str, *, again: bool = False) -> list[Change]:
    """Return what makes the filter as wanted; it is as `before` then."""
    differs = specs.compare(wanted, before)
    if not differs:
        return []
    # The hub waits for its answers, and nobody else asks.
    change = replace(replicated.update(wanted, found, manager, differs, again=again), cost=Cost.NOTHING)
    return [replicated.tidied(change, wanted)]


def _settle(service: str, manager: Host, progress: Progress) -> None:
    """Let the hub alone ask that Swarm has now: the one that was to come does not. While that is open, both may ask."""
    hub, found = (manager.engine.find(f"/services/{one}") for one in (service, name(service)))
    if hub is None or found is None or (hub.get("UpdateStatus") or {}).get("State", "completed") not in SETTLED:
        return
    files = configs.files(manager, f"{LABEL}={service}")
    hub, found = (hub_service.with_files(one, files) for one in (hub, found))
    if not hub_service.settings_of(hub["Spec"]):
        return  # it was made by hand, and has the engine itself
    for change in _update(of_hub(hub["Spec"], found), found["Spec"], found, manager.name):
        change.apply(manager, progress)
