"""The plans of nodes that come, are emptied and go, and of the end of a deployment; each from one look."""

from collections.abc import Sequence
from functools import partial

from swarmhub.cluster import availability, drain, recovery, removal, swarm
from swarmhub.cluster.nodes import Member, SwarmNode
from swarmhub.cluster.recovery import Recovery
from swarmhub.engine import containers
from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError
from swarmhub.history import releases
from swarmhub.images import pull
from swarmhub.notebooks import homes, servers, work
from swarmhub.notebooks.work import Work
from swarmhub.parallel import every, gather
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.teardown import leftovers, prune, teardown


def joins_plan(run: Run) -> Plan:
    """Plan the joins of the hosts that are in no swarm."""
    ticket = swarm.observe(run.hosts[run.manager])
    return swarm.plan_joins(run.settings, run.look.members(), run.look.swarm(), ticket)


def roles_plan(run: Run, joined: Sequence[str]) -> Plan:
    """Plan what remains when all hosts have joined."""
    hub = work.hub_node(run.look.service().service, run.settings.hub.service)
    members, found = run.look.members(), run.look.swarm()
    return swarm.plan_roles(run.settings, members, found, joined, manager=run.manager, hub=hub)


def recovery_of(run: Run) -> Recovery:
    """Return which manager goes on, and use it from here on."""
    members = run.look.members()
    there = [host for host in run.settings.hosts.managers if isinstance(members[host], Member)]
    found = gather([partial(containers.of_service, run.hosts[host], run.settings.hub.service) for host in there])
    with_hub = [host for host, one in zip(there, found, strict=True) if one and not isinstance(one, StepError)]
    chosen = recovery.choose(run.settings, members, run.named, with_hub)
    run.use_manager(chosen.survivor)
    return chosen


def alone_plan(run: Run, found: Recovery) -> Plan:
    """Plan that one manager goes on alone."""
    return recovery.plan_alone(found, recovery.running(run.hosts[found.survivor]))


def leaving_plan(run: Run, found: Recovery) -> Plan:
    """Plan that hosts leave the swarm of before, which the one that went on alone does not have."""
    hosts = recovery.leaving(run.settings, run.look.swarm(), run.look.members(), found)
    running = every([partial(recovery.running, run.hosts[host]) for host in hosts])
    return recovery.plan_leaving(dict(zip(hosts, running, strict=True)))


def node_of(run: Run, host: str) -> SwarmNode:
    """Return the node that a host is."""
    return availability.require(run.look.swarm(), host, run.look.members()[host])


def work_on(run: Run, host: str) -> Work:
    """Return what runs on a node, asked anew."""
    return work.observe(run.hosts[run.manager], run.settings.hub.service, node_of(run, host).id)


def homes_on(run: Run, host: str) -> tuple[str, ...]:
    """Return whose homes are on a node, of all hubs."""
    node, places = node_of(run, host).id, homes.places(run.hosts[run.manager])
    return tuple(place.user for place in places if place.node == node)


def pause_plan(run: Run, host: str) -> Plan:
    """Plan what keeps new servers away from a node."""
    return drain.plan_pause(host, node_of(run, host), run.manager)


def drain_plan(run: Run, host: str) -> Plan:
    """Plan the emptying of a node."""
    return drain.plan(host, node_of(run, host), work_on(run, host), run.manager)


def undrain_plan(run: Run, host: str) -> Plan:
    """Plan the opening of a node."""
    held = pull.reached(run.look.images(run.settings.hosts.all), [host])
    others = {name: one for name, one in held.items() if name != host} or held
    # An image that nobody holds has a name that nobody holds.
    wanted = {image: pull.chosen(image, pull.of(image, others)) or image for image in run.settings.images}
    lacking = pull.lacking(wanted, held[host])
    theirs = [digest for image, digest in wanted.items() if image in held[host]]
    return availability.plan_undrain(host, node_of(run, host), theirs, lacking, run.manager)


def removal_plan(run: Run, host: str) -> Plan:
    """Plan the removal of a node; a manager other than itself is asked for it, if there is one."""
    others = [name for name in run.settings.hosts.managers if name != host]
    if run.manager == host and others:
        run.use_manager(others[0])
    member, found = run.look.members()[host], run.look.swarm()
    node = availability.find(found, host, member)
    if node is None:
        return Plan(removal.STEP, f"{host} is not in the swarm")
    volumes = removal.Volumes(None) if isinstance(member, StepError) else removal.observe(run.hosts[host], run.settings)
    inside = isinstance(member, Member) and member.state == "active"
    return removal.plan(host, node, found, work_on(run, host), volumes, manager=run.manager, inside=inside)


def teardown_plan(run: Run, *, with_data: bool) -> tuple[Plan, list[str]]:
    """Plan the end of the deployment, and say what stays."""
    settings, manager, _ = run.settings, run.hosts[run.manager], run.look.swarm()
    cluster = leftovers.observe_cluster(manager, settings)
    ask = [partial(leftovers.observe_node, run.hosts[host], settings, cluster) for host in settings.hosts.all]
    nodes = dict(zip(settings.hosts.all, every(ask), strict=True))
    people = servers.running(servers.observe(manager, settings.hub.service))
    plan = teardown.plan(settings, cluster, nodes, people, manager=run.manager, with_data=with_data)
    return plan, teardown.kept(settings, cluster, nodes, with_data=with_data)


def prune_plan(run: Run) -> Plan:
    """Plan the removal of what neither the settings nor a kept release needs, on the nodes that answer."""
    settings, manager, _ = run.settings, run.hosts[run.manager], run.look.swarm()
    hosts = run.look.present()
    ask = [partial(prune.observe, run.hosts[host]) for host in hosts]
    nodes = dict(zip(hosts, every(ask), strict=True))
    listed, services = manager.engine.get("/configs"), manager.engine.get("/services")
    files = configs.read_files(listed)
    filled = [one | {"Spec": configs.filled(one["Spec"], files)} for one in services]
    wanted = prune.needed(settings, releases.of_every_hub(listed), filled, run.recipes)
    return prune.plan(settings, wanted, nodes, listed, run.manager)
