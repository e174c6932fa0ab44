"""The rollout: how another hub comes to run, as one plan whose parts stand in their order.

1. The secrets and settings that are missing, which nobody reads yet, and with them the configuration's check, in the image
   that is to run. A hub that was made by hand becomes ours, after its database has been tried; one in a container stops.
2. The filter lets both hubs ask, the one that runs and the one that is to come. A later part that fails undoes this.
3. The proxy, the certificate's renewal, and the users that the userlist adds or removes.
4. The database is copied; the hub is replaced. Swarm goes back to the hub before, if the new one does not become well.
5. The release is recorded. The filter lets the new hub alone ask; what only the old one needed goes.

Nothing that people feel happens before the check. What fails leaves a hub that runs, and the next run goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from hub.filter import policy
from swarmhub.certificate import certs
from swarmhub.cluster import availability
from swarmhub.cluster.nodes import Member
from swarmhub.deploy.by_hand import standalone, takeover
from swarmhub.deploy.by_hand.takeover import ByHand
from swarmhub.deploy.data import databases
from swarmhub.engine.swarm import configs, specs
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.history import releases
from swarmhub.history.database import Database
from swarmhub.images import pull
from swarmhub.notebooks import homes, servers
from swarmhub.notebooks.homes import HomeVolume
from swarmhub.notebooks.servers import RunningServer
from swarmhub.plan.plans import Change, Plan
from swarmhub.run.run import Run
from swarmhub.services import engine_filter, network, proxy, renewal
from swarmhub.services.hub import check as hub_check
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub import subdomains
from swarmhub.services.hub.service import ExistingHub, Parts
from swarmhub.settings import outbound


def plan(run: Run, parts: Parts, *, moves: bool = False) -> Plan:
    """Plan the step `service` on what the steps before it left; it `moves` the database if that is not where it is wanted.

    Raises:
        StepError: the database is not where hosts.toml wants it, and is not to be moved.

    """
    settings, manager, found = run.settings, run.manager, _found(run)
    names = hub_service.secret_names(settings, run.secrets, parts.cluster, parts.proxy_token)
    has_filter = settings.hub.engine == "filter"
    logins = _logins(run, parts) if has_filter else {}
    wanted = run.look.kept(hub_service.desired(settings, run.secrets, parts))
    wanted = configs.keeping(wanted, found.service and found.service["Spec"])
    front = _front(run, parts)
    taken = _by_hand(run, parts)
    replaced = taken is not None and taken.service is not None
    data = databases.observe(run, parts.hub_image, moves=moves)
    if not moves:
        databases.require_settled(data, manager)
    again = replaced or bool(data.way) or any(change.what == f"service {settings.hub.service}" for change in front)
    before = run.look.releases()
    kept = {name for release in before for name in hub_service.settings_files(release.spec)}
    mounted = engine_filter.needed(logins, run.look.engine_filter(), goes=not has_filter)
    hub = hub_service.plan(wanted, found, {**names, **mounted}, manager, network.names(settings), kept=kept, again=again)
    if replaced:  # nearly every field is another one: what matters is what it becomes
        gist = specs.gist(wanted, network.names(settings))
        hub = replace(hub, changes=tuple(replace(one, gist=gist) if one.differences else one for one in hub.changes))
    hub = replace(hub, changes=(*databases.before(data, manager), *hub.changes))
    release = releases.draft(settings, wanted, parts, before)
    hub = releases.around(hub, release, before, found.service, manager, by_hand=taken is not None, urls=data.urls)
    of_filter = run.look.kept(engine_filter.desired(settings, parts, logins)) if has_filter else None
    whole = replace(
        hub,
        changes=(
            *takeover.adopting(taken, settings.hub.service, _told(run, taken), manager),
            *engine_filter.before(of_filter, run.look.engine_filter(), manager),
            *front,
            *_of_people(run, hub),
            # Before the hub: one that did not know of a home would make an empty one.
            *_recording(run),
            *takeover.stopping(taken, manager),
            *hub.changes,
            *databases.after(data, manager),
            *engine_filter.after(of_filter, run.look.engine_filter(), manager),
            # Until it has been replaced, the hub places servers by the labels of the images before.
            *_forgetting(run, parts),
        ),
    )
    if taken:  # the database may be of any hub, or of none
        data = replace(data, service=None)
    whole = replace(whole, changes=(*databases.checks(data, [*names.values()], manager), *whole.changes))
    whole = hub_check.before(whole, hub_check.change(wanted, manager), found.service)
    own = run.look.logins.items() if logins else ()
    values = {**run.secrets, **{f"{policy.LOGIN}{registry}": value for registry, value in own}}
    secrets = hub_service.missing(found, values, {**names, **logins}, settings.hub.service, manager)
    files = configs.missing(wanted, found.files, {LABEL: settings.hub.service}, manager)
    whole = replace(whole, changes=(*secrets, *files, *whole.changes))
    return subdomains.priced(whole, wanted, found.service, partial(_working, run))


def proxy_plan(run: Run, parts: Parts | None) -> Plan:
    """Plan the step `proxy`, the rollout's part for the proxy alone; `parts` is None where the hub runs the proxy itself."""
    settings, found = run.settings, _found(run)
    if parts is None:
        return Plan(proxy.STEP, "it runs in the hub's container", tuple(_front(run, None)))
    needed = {name: run.secrets[name] for name in (settings.http_proxy.secret,) if name}
    names = hub_service.secret_names(settings, needed, parts.cluster, parts.proxy_token)
    changes = [*hub_service.missing(found, needed, names, settings.hub.service, run.manager), *_front(run, parts)]
    return Plan(proxy.STEP, f"{proxy.name(settings)}: as wanted", tuple(changes))


def _logins(run: Run, parts: Parts) -> dict[str, str]:
    """Return the files with logins to registries that the filter reads, by their names in the swarm."""
    given, wanted = run.look.logins, run.look.registries()
    return engine_filter.logins(run.settings.hub.service, parts.cluster, given, wanted, run.look.engine_filter())


def _by_hand(run: Run, parts: Parts) -> ByHand | None:
    image = parts.hub_image if run.look.hub_image(parts.hub_image) else ""
    manager, data = run.hosts[run.manager], Database(run.settings.volume.name, image, run.settings.hub.service)
    containers = standalone.observe(manager, data.volume, run.look.volume_containers())
    return takeover.observe(manager, parts.node, run.look.service().service, containers, data)


def _found(run: Run) -> ExistingHub:
    """Return what was found of the hub, without the secrets of what stands beside it."""
    found = renewal.without_its_own(run.settings, run.look.service())
    if not run.look.has_schedule():
        return found
    from swarmhub.services.schedule import service as schedule  # most clusters make no backups themselves

    return schedule.without_its_own(run.settings, found)


def _front(run: Run, parts: Parts | None) -> list[Change]:
    """Return what changes the proxy and the certificate's renewal, or takes them away."""
    settings, manager = run.settings, run.manager
    there = renewal.ExistingRenewal(run.look.renewal(), run.look.service().secrets)
    if parts is None or not settings.proxy.separate:
        return [*proxy.removal(run.look.proxy(), manager), *renewal.removal(settings, there, manager)]
    wanted = run.look.kept(proxy.desired(settings, run.secrets, parts))
    changes = proxy.changes(wanted, run.look.proxy(), run.look.service().service, manager, network.names(settings))
    if not renewal.is_wanted(settings):
        return [*changes, *renewal.removal(settings, there, manager)]
    request = replace(certs.desired(settings), by_proxy=True, variables=outbound.variables(settings, run.secrets))
    of_renewal = run.look.kept(renewal.desired(settings, request, parts))
    return [*changes, *renewal.changes(settings, request, of_renewal, there, manager)]


def _working(run: Run) -> Sequence[RunningServer]:
    return servers.running(servers.observe(run.hosts[run.manager], run.settings.hub.service))


def _of_people(run: Run, hub: Plan) -> Sequence[Change]:
    """Return what another userlist changes, which only a hub that is replaced can bring."""
    if not hub.changes:
        return ()
    from swarmhub.people import plans  # most deploys replace nothing

    return plans.before_service(run).changes


def _told(run: Run, taken: ByHand | None) -> str:
    if taken is None:
        return ""
    from swarmhub.people import plans  # most hubs are ours

    allowed, nobodys = plans.wanted(run).allowed, homes.nobodys(_homes(run, _nodes(run)))
    return takeover.told(taken, run.settings.access.console, allowed, nobodys)


def _nodes(run: Run) -> dict[str, str]:
    """Return the hosts that answer by the ids of their nodes."""
    return {member.node: host for host, member in run.look.members().items() if isinstance(member, Member)}


def _homes(run: Run, hosts: Mapping[str, str]) -> dict[str, tuple[HomeVolume, ...]]:
    return {node: run.look.homes(host) for node, host in hosts.items()}


def _recording(run: Run) -> list[Change]:
    if other := hub_service.with_same_homes(run.hosts[run.manager], run.settings):
        cause = f"the hub {other} has the same home.name, so both would use the same volumes"
        raise StepError(run.manager, cause, "Begin home.name in hosts.toml with another text")
    hosts = _nodes(run)
    held = _homes(run, hosts)
    known, nodes = run.look.places(), {node.id for node in run.look.swarm().nodes}
    found = homes.unrecorded(known, held, nodes)
    if doubtful := homes.doubtful(found, held):
        raise StepError(run.manager, *_doubt(doubtful, hosts))
    cut = [one for host in hosts.values() for one in run.look.cut_homes(host)]
    hub = run.settings.hub.service
    return [*homes.recording(known, found, hosts, hub, run.manager), *homes.naming(known, cut, hub, run.manager)]


def _doubt(found: Mapping[str, Sequence[str]], hosts: Mapping[str, str]) -> tuple[str, str]:
    """Return what is wrong, and what helps, where homes that were made by hand are on several nodes."""
    told = "; ".join(f"{name} is on {', '.join(hosts[node] for node in nodes)}" for name, nodes in found.items())
    cause = f"several nodes have the volume of one home, and no label tells which is in use: {told}"
    return cause, "Remove those that are not wanted (docker volume rm), or record the node of the right one: docs/moving-in.md"


def _forgetting(run: Run, parts: Parts) -> list[Change]:
    nodes = run.look.swarm().nodes
    kept = {pull.short(pull.digest_of(one)) for one in parts.images.values()}
    if all(node.images <= kept for node in nodes):
        return []
    return availability.forgetting(
        nodes, kept | hub_service.images_of_others(run.hosts[run.manager], run.settings), run.manager
    )
