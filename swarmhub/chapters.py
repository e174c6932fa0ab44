"""The plan of each step of the document, from one look; a step alone and `fab plan` make it the same way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from swarmhub import (
    availability,
    certs,
    drain,
    hub_image,
    images,
    leftovers,
    network,
    nodes,
    notebooks,
    prerequisites,
    releases,
    removal,
    service,
    swarm,
    teardown,
    volume,
    work,
)
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.nodes import Member, SwarmNode
from swarmhub.plan import Plan, every, remedy
from swarmhub.run import Run
from swarmhub.service import Parts
from swarmhub.work import Work


def nodes_plan(run: Run) -> Plan:
    """Plan the step `nodes`, which changes nothing and may refuse."""
    run.look.everywhere()
    rows = nodes.compare(run.settings, run.look.members(), run.look.swarm())
    blocking = [row for row in rows if row.blocks]
    told = "; ".join(f"{row.host} {row.problem}" for row in rows if row.problem)
    error = StepError(blocking[0].host, blocking[0].problem, blocking[0].remedy) if blocking else None
    return Plan(nodes.STEP, told or f"{len(rows)} of {len(rows)} ready", error=error)


def network_plan(run: Run, *, recreate: bool = False) -> Plan:
    """Plan the step `network`."""
    return network.plan(network.desired(run.settings), run.look.network(), run.manager, recreate=recreate)


def volume_plan(run: Run) -> Plan:
    """Plan the step `volume`."""
    return volume.plan(volume.desired(run.settings), run.look.volume(), run.manager)


def certs_plan(run: Run) -> Plan:
    """Plan the step `certs`."""
    return certs.plan(certs.desired(run.settings), run.look.certificate(), run.manager, datetime.now(UTC))


def images_plan(run: Run, targets: Sequence[str]) -> Plan:
    """Plan the pull of the notebook image on the `targets`."""
    held = images.reached(run.look.images(run.settings.hosts.all), targets)
    wanted = notebook_digest(run, targets)
    return images.plan(run.settings.notebook.image, wanted, {node: held[node] for node in targets if node in held})


def notebook_digest(run: Run, targets: Sequence[str]) -> str:
    """Return the digest or id of the notebook image that all nodes shall hold."""
    image = run.settings.notebook.image
    held = images.reached(run.look.images(run.settings.hosts.all), targets)
    return images.chosen(image, held) or run.look.registry_digest()


def activation_plan(run: Run, targets: Sequence[str]) -> Plan:
    """Plan the opening of the `targets` that only waited for their image."""
    if not run.look.member(run.manager).is_manager:
        return availability.plan_activation({}, run.manager)
    found, members = run.look.swarm(), run.look.members()
    here = {host: node for host in targets if (node := availability.find(found, host, members[host]))}
    return availability.plan_activation(here, run.manager)


def joins_plan(run: Run) -> Plan:
    """Plan the joins of the hosts that are in no swarm."""
    ticket = swarm.observe(run.hosts[run.manager])
    return swarm.plan_joins(run.settings, run.look.members(), run.look.swarm(), ticket)


def roles_plan(run: Run, joined: Sequence[str]) -> Plan:
    """Plan what remains when all hosts have joined."""
    hub = work.hub_node(run.look.service().service, run.settings.hub.service)
    members, found = run.look.members(), run.look.swarm()
    return swarm.plan_roles(run.settings, members, found, joined, manager=run.manager, hub=hub)


def node_of(run: Run, host: str) -> SwarmNode:
    """Return the node that a host is."""
    return availability.require(run.look.swarm(), host, run.look.members()[host])


def work_on(run: Run, host: str) -> Work:
    """Return what runs on a node, asked anew."""
    return work.observe(run.hosts[run.manager], run.settings.hub.service, node_of(run, host).id)


def pause_plan(run: Run, host: str) -> Plan:
    """Plan what keeps new servers away from a node."""
    return drain.plan_pause(host, node_of(run, host), run.manager)


def drain_plan(run: Run, host: str) -> Plan:
    """Plan the emptying of a node."""
    return drain.plan(host, node_of(run, host), work_on(run, host), run.manager)


def undrain_plan(run: Run, host: str) -> Plan:
    """Plan the opening of a node."""
    seen = run.look.images(run.settings.hosts.all)
    held = images.reached(seen, [host])
    wanted = images.chosen(run.settings.notebook.image, {name: one for name, one in held.items() if name != host} or held)
    return availability.plan_undrain(host, node_of(run, host), held[host], wanted, run.manager)


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
    ask = [partial(leftovers.observe_node, run.hosts[host], settings, cluster.strangers) for host in settings.hosts.all]
    nodes = dict(zip(settings.hosts.all, every(ask), strict=True))
    people = notebooks.running(notebooks.observe(manager, settings.hub.service))
    plan = teardown.plan(settings, cluster, nodes, people, manager=run.manager, with_data=with_data)
    return plan, teardown.kept(settings, cluster, nodes, with_data=with_data)


def hub_image_plan(run: Run) -> Plan:
    """Plan the step `build-hub`."""
    wanted = hub_image.desired(run.settings)
    return hub_image.plan(wanted, run.look.hub_image(wanted.tag), run.manager)


def service_plan(run: Run, parts: Parts) -> Plan:
    """Plan the step `service`, on what the steps before it left."""
    wanted = service.desired(run.settings, run.secrets, parts)
    names = service.secret_names(run.settings, run.secrets, parts.cluster)
    found, before = run.look.service(), run.look.releases()
    plan = service.plan(wanted, found, run.secrets, names, run.manager)
    return releases.around(plan, releases.draft(run.settings, wanted, parts, before), before, found.service, run.manager)


def every_plan(run: Run) -> list[Plan]:
    """Plan every step of a deploy, in order, with what only a later step can know left open."""
    plans = {nodes.STEP: _attempt(nodes.STEP, lambda: nodes_plan(run))}
    if plans[nodes.STEP].error is not None:
        return list(plans.values())
    steps: Mapping[str, Callable[[], Plan]] = {
        network.STEP: lambda: network_plan(run),
        volume.STEP: lambda: volume_plan(run),
        certs.STEP: lambda: certs_plan(run),
        images.STEP: lambda: images_plan(run, run.settings.hosts.all),
        hub_image.STEP: lambda: hub_image_plan(run),
        service.STEP: lambda: service_plan(run, _foreseen(run, plans)),
    }
    for step, make in steps.items():
        plans[step] = _attempt(step, make)
        if step == images.STEP:
            opened = _attempt(availability.ACTIVATE, lambda: activation_plan(run, run.settings.hosts.all))
            plans |= {availability.ACTIVATE: opened} if opened.changes or opened.error else {}
    return list(plans.values())


def _foreseen(run: Run, before: Mapping[str, Plan]) -> Parts:
    digest = notebook_digest(run, run.settings.hosts.all)
    return prerequisites.foresee(run.settings, run.look, run.manager, before, digest)


def _attempt(step: str, make: Callable[[], Plan]) -> Plan:
    try:
        return make()
    except EngineError as error:
        return Plan(step, "", error=StepError(error.host, error.message, remedy(error), step))
    except StepError as error:
        return Plan(step, "", error=StepError(error.host, error.cause, error.remedy, step))
