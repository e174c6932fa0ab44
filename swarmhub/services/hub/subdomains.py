"""Where people's servers are found, by a domain of their own or below a path: what the hub is told, and what a change costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from swarmhub.engine.swarm import specs
from swarmhub.host import Json
from swarmhub.notebooks.servers import RunningServer
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.settings import Settings

VARIABLE = "SUBDOMAIN_HOST"
# Below which path, where that is not the whole domain.
PATH = "BASE_URL"


def environment(settings: Settings, public_url: str) -> dict[str, str]:
    """Return what the hub's service is told: below which address the domains are, or nothing."""
    return {VARIABLE: public_url} if settings.hub.subdomains else {}


def host(spec: Mapping[str, Json]) -> str:
    """Return below which address a hub's servers have domains; nothing, if they have none."""
    return specs.environment(spec["TaskTemplate"]["ContainerSpec"]).get(VARIABLE, "")


def path(spec: Mapping[str, Json]) -> str:
    """Return below which path a hub and its servers are."""
    return specs.environment(spec["TaskTemplate"]["ContainerSpec"]).get(PATH, "/")


def priced(plan: Plan, wanted: Json, found: Json | None, running: Callable[[], Sequence[RunningServer]]) -> Plan:
    """Return the service's plan with whose servers stop: each sends people to the address that it was started for.

    `running` is asked only if the address becomes another one.
    """
    if found is None or (host(wanted), path(wanted)) == (host(found["Spec"]), path(found["Spec"])):
        return plan
    people = tuple(dict.fromkeys(one.user for one in running()))

    def cost(change: Change) -> Change:
        return replace(change, cost=Cost.NOTEBOOKS_STOP, people=people) if change.cost is Cost.HUB_RESTART else change

    return replace(plan, changes=tuple(cost(change) for change in plan.changes)) if people else plan
