"""People's servers: whether one of them can take what the cluster itself needs, and whether all can start where they are."""

from collections.abc import Mapping, Sequence

from hub.shared.servers import nodes as placing
from hub.shared.servers.choice import server_for
from hub.shared.servers.nodes import hostname
from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.host import Json
from swarmhub.notebooks import homes
from swarmhub.notebooks.homes import HomeRecord
from swarmhub.settings import Settings, handed
from swarmhub.settings.without_effect import SPAWNERS

CHECK = "servers"
NANO = 1_000_000_000


def judge(settings: Settings, nodes: Sequence[Json], places: Sequence[HomeRecord], manager: str) -> list[Finding]:
    """Judge where servers run; `nodes` are the engine's, `places` the homes that stay on one node."""
    tables = handed.tables(settings)
    everywhere = placing.everywhere(tables)
    barred = {node["ID"]: constraint for node in nodes if (constraint := placing.barred(node, everywhere))}
    names = {node["ID"]: hostname(node) for node in nodes}
    found = [*_memory(tables, nodes, barred), *_cpus(tables, nodes, everywhere), *_homes(places, barred, names)]
    told = "no server can take a manager's memory, nodes have the CPUs of the limits, and each home is where servers run"
    return found or [ok(CHECK, manager, told)]


def _cpus(tables: Json, nodes: Sequence[Json], everywhere: Sequence[str]) -> list[Finding]:
    """Return a line for each node with fewer CPUs than a server may use: its engine refuses to start such a server."""
    found: dict[str, list[str]] = {}
    for profile in tables["profiles"] or [None]:
        server = server_for(tables, "", (), profile)
        constraints = [*everywhere, *placing.labelled(server["node_labels"])]
        limit, what = server.get("cpu_limit") or 0, f"servers of {profile['name']}" if profile else "servers"
        for node in nodes:
            cpus = (((node.get("Description") or {}).get("Resources") or {}).get("NanoCPUs") or 0) / NANO
            if 0 < cpus < limit and not placing.barred(node, constraints):
                found.setdefault(hostname(node), []).append(f"{what} may use {limit:g} CPUs, and there are {cpus:g}")
    remedy = "Set a cpu_limit that each node has, or keep such servers off it by node_labels"
    cause = "the engine refuses to start them"
    return [failure(CHECK, name, f"{'; '.join(texts)}: {cause}", remedy) for name, texts in found.items()]


def _memory(tables: Json, nodes: Sequence[Json], barred: Mapping[str, str]) -> list[Finding]:
    """Return a warning if what runs on the only manager has no limit: without that manager nothing can be changed."""
    managers = [node for node in nodes if node["Spec"]["Role"] == "manager"]
    unlimited = _unlimited(tables)
    if len(managers) != 1 or managers[0]["ID"] in barred or not unlimited:
        return []
    name = hostname(managers[0])
    text = f"{unlimited} no memory limit and may run on {name}, the only manager: one can use up the memory of hub and swarm"
    return [warning(CHECK, name, text, 'Set memory_limit in [notebook], or nodes = "workers"')]


def _unlimited(tables: Json) -> str:
    """Return which servers have no memory limit, as the beginning of a sentence; nothing if all have one."""
    options = tables["jupyterhub"]
    # JupyterHub's own option may set the limit.
    if any("mem_limit" in options.get(name, {}) for name in SPAWNERS):
        return ""
    profiles = tables["profiles"]
    names = [one["name"] for one in profiles if not server_for(tables, "", (), one).get("memory_limit")]
    if names:
        return f"servers with the profile {' or '.join(names)} have"
    return "" if profiles or server_for(tables, "", (), None).get("memory_limit") else "servers have"


def _homes(places: Sequence[HomeRecord], barred: Mapping[str, str], names: Mapping[str, str]) -> list[Finding]:
    found = []
    for node in sorted({place.node for place in places} & {*barred}):
        here = [place.user for place in places if place.node == node]
        text = f"homes are on {names[node]}, where hosts.toml lets no server start ({barred[node]}): {homes.names(here)}"
        remedy = "They cannot start. Let servers run there again, or save and remove these homes: fab class-archive"
        found.append(warning(CHECK, names[node], text, remedy))
    return found
