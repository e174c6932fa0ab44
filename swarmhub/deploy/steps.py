"""The plan of each step of a deploy, from one look; a step alone and `fab plan` make it the same way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from swarmhub.certificate import certs
from swarmhub.certificate import own as own_certs
from swarmhub.cluster import availability, nodes
from swarmhub.cluster.nodes import Member
from swarmhub.deploy import on_nodes, prerequisites
from swarmhub.engine import secrets as swarm_secrets
from swarmhub.errors import StepError, StepErrors
from swarmhub.firewall import firewall
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall import rules as firewall_rules
from swarmhub.firewall import spec as firewall_spec
from swarmhub.history import releases
from swarmhub.host import EngineError
from swarmhub.images import build, pull
from swarmhub.notebooks import homes, servers
from swarmhub.notebooks.servers import RunningServer
from swarmhub.parallel import every
from swarmhub.people import plans as user_plans
from swarmhub.people import users
from swarmhub.plan.differences import known_after
from swarmhub.plan.plans import Change, Cost, Plan, remedy
from swarmhub.run.run import Run
from swarmhub.services import engine_filter, hub_check, network, proxy, renewal, subdomains, volume
from swarmhub.services import hub as hub_service
from swarmhub.services.hub import Parts
from swarmhub.settings.secrets import PROXY_TOKEN


def nodes_plan(run: Run) -> Plan:
    """Plan the step `nodes`, which changes nothing and may refuse."""
    run.look.everywhere()
    rows = nodes.compare(run.settings, run.look.members(), run.look.swarm())
    blocking = [row for row in rows if row.blocks]
    others = [f"{row.host} {row.problem}" for row in blocking[1:]]
    told = "; ".join(f"{row.host} {row.problem}" for row in rows if row.problem)
    first = blocking[0] if blocking else None
    error = StepError(first.host, "; ".join([first.problem, *others]), first.remedy, nodes.STEP) if first else None
    return Plan(nodes.STEP, told or f"{len(rows)} of {len(rows)} ready", error=error)


def network_plan(run: Run, *, recreate: bool = False) -> Plan:
    """Plan the step `network`."""
    plan = network.plan(network.desired(run.settings), run.look.network(), run.manager, recreate=recreate)
    if not run.settings.proxy.separate:
        return plan
    inner = network.plan(network.of_proxy(run.settings), run.look.proxy_network(), run.manager, recreate=recreate)
    return replace(plan, summary=f"{plan.summary}; {inner.summary}", changes=(*plan.changes, *inner.changes))


def volume_plan(run: Run) -> Plan:
    """Plan the step `volume`."""
    return volume.plan(volume.desired(run.settings), run.look.volume(), run.manager)


def certs_plan(run: Run) -> Plan:
    """Plan the step `certs`."""
    now, front, found = datetime.now(UTC), run.look.proxy(), run.look.certificate()
    # A proxy of its own takes another certificate as it runs; the hub's own takes it when the hub restarts.
    cost = Cost.NOTHING if front else Cost.HUB_RESTART
    if own := own_certs.desired(run.settings, now):
        return own_certs.plan(own, run.settings.hub.domain, found, run.manager, now, cost)
    wanted = replace(certs.desired(run.settings), by_proxy=proxy.answers_http(front), cost=cost)
    return certs.plan(wanted, found, run.manager, now)


def images_plan(run: Run, targets: Sequence[str]) -> Plan:
    """Plan the pulls of the notebook images on the `targets`."""
    return on_nodes.images_plan(run, targets, wanted_images(run, targets))


def wanted_images(run: Run, targets: Sequence[str]) -> dict[str, str]:
    """Map each notebook image to the digest or id that all nodes shall hold."""
    held = pull.reached(run.look.images(run.settings.hosts.all), targets)
    found = {image: pull.chosen(image, pull.of(image, held)) for image in run.settings.images}
    unknown = [image for image, digest in found.items() if digest is None]
    asked = dict(zip(unknown, every([partial(run.look.registry_digest, image) for image in unknown]), strict=True))
    return {image: digest or asked[image] for image, digest in found.items()}


def hub_image_plan(run: Run) -> Plan:
    """Plan the step `build-hub`."""
    wanted = run.look.builds
    return build.plan(wanted, [one.tag for one in wanted if run.look.hub_image(one.tag)], run.manager)


def proxy_plan(run: Run, stands_on: Callable[[], Parts]) -> Plan:
    """Plan the step `proxy`, on what the steps before it left, where there has to be one."""
    found, hub = run.look.proxy(), run.look.service()
    if not run.settings.proxy.separate:
        plan = proxy.plan_removal(found, run.manager)
        return replace(plan, changes=(*plan.changes, *_without_renewal(run)))
    parts = stands_on()
    in_swarm = proxy.secret_name(run.settings, run.secrets, parts.cluster)
    value = run.secrets[PROXY_TOKEN]
    is_missing = in_swarm not in hub.secrets
    token = swarm_secrets.make(PROXY_TOKEN, in_swarm, value, run.settings.hub.service, run.manager) if is_missing else None
    wanted = proxy.desired(run.settings, run.secrets, parts)
    plan = proxy.plan(wanted, found, hub.service, token, run.manager, network.names(run.settings))
    return replace(plan, changes=(*plan.changes, *_renewing(run, parts)))


def _renewing(run: Run, parts: Parts) -> list[Change]:
    if not renewal.is_wanted(run.settings):
        return _without_renewal(run)
    wanted = replace(certs.desired(run.settings), by_proxy=True)
    spec = renewal.desired(run.settings, wanted, parts)
    return renewal.changes(run.settings, wanted, spec, _renewal_there(run), run.manager)


def _without_renewal(run: Run) -> list[Change]:
    return renewal.removal(run.settings, _renewal_there(run), run.manager)


def _renewal_there(run: Run) -> renewal.ExistingRenewal:
    return renewal.ExistingRenewal(run.look.renewal(), run.look.service().secrets)


def firewall_plan(run: Run, *, foresee: bool = False) -> Plan:
    """Plan the step `firewall`; `foresee` tells that the step before it will have given every node the image.

    Raises:
        StepError: a node lacks the image.

    """
    hub, found = run.settings.hub.service, run.look.firewall()
    if not run.settings.firewall.enabled:
        return firewall.plan_none(hub, found, run.manager)
    lacking = on_nodes.without_firewall(run, run.settings.hosts.all)
    image = firewall.image(hub, found, [run.look.firewall_image(host) for host in lacking])
    if image is None and not foresee:
        bare = next(host for host in lacking if run.look.firewall_image(host) is None)
        raise StepError(bare, f"has no image {firewall_image.tag(hub)}", prerequisites.PULL)
    wanted = firewall_spec.desired(hub, image or known_after(pull.STEP), _rules(run), _isolated(run))
    return firewall.plan(wanted, found, run.manager)


def _isolated(run: Run) -> firewall_spec.Servers | None:
    settings = run.settings
    ours = (settings.hub.service, proxy.name(settings))
    rules = firewall_rules.isolating(settings.hub.service)
    return firewall_spec.Servers(settings.network.name, ours, rules) if settings.firewall.isolate_servers else None


def _rules(run: Run) -> firewall_rules.ChainRules:
    swarm, settings = run.look.swarm(), run.settings
    hosts = every([partial(run.look.endpoints, host) for host in settings.hosts.all])
    addresses = [node.address for node in swarm.nodes]
    return firewall_rules.desired(settings.hub.service, hosts, addresses, swarm.data_port, settings.firewall.deny)


def service_plan(run: Run, parts: Parts) -> Plan:
    """Plan the step `service`, on what the steps before it left."""
    wanted = hub_service.desired(run.settings, run.secrets, parts)
    names = hub_service.secret_names(run.settings, run.secrets, parts.cluster)
    found, before = renewal.without_its_own(run.settings, run.look.service()), run.look.releases()
    if run.settings.proxy.separate:  # the step before has made its token
        found = replace(found, secrets={names[PROXY_TOKEN]: "", **found.secrets})
    plan = hub_service.plan(wanted, found, run.secrets, names, run.manager, network.names(run.settings))
    plan = releases.around(plan, releases.draft(run.settings, wanted, parts, before), before, found.service, run.manager)
    # The homes first: a hub that did not know of one would make an empty one. The labels last: until it has been
    # updated, the hub places servers by the labels of the images before.
    of_filter = engine_filter.desired(run.settings, parts) if run.settings.hub.engine == "filter" else None
    first = [*_recording(run), *engine_filter.before(of_filter, run.look.engine_filter(), run.manager)]
    last = [*engine_filter.after(of_filter, run.look.engine_filter(), run.manager), *_forgetting(run, parts)]
    plan = replace(plan, changes=(*first, *plan.changes, *last))
    # Before the filter too, which is of the same image: what cannot be loaded leaves all as it is.
    plan = hub_check.before(plan, hub_check.change(wanted, hub_service.mounted(run.secrets), run.manager), found.service)
    return subdomains.priced(plan, wanted, found.service, partial(_working, run))


def _working(run: Run) -> Sequence[RunningServer]:
    return servers.running(servers.observe(run.hosts[run.manager], run.settings.hub.service))


def _recording(run: Run) -> list[Change]:
    hosts = {member.node: host for host, member in run.look.members().items() if isinstance(member, Member)}
    held = {node: run.look.homes(host) for node, host in hosts.items()}
    known, nodes = run.look.places(), {node.id for node in run.look.swarm().nodes}
    found = homes.unrecorded(known, held, nodes)
    return homes.recording(known, found, hosts, run.settings.hub.service, run.manager)


def _forgetting(run: Run, parts: Parts) -> list[Change]:
    nodes = run.look.swarm().nodes
    kept = {pull.short(pull.digest_of(one)) for one in parts.images.values()}
    if all(node.images <= kept for node in nodes):
        return []
    return availability.forgetting(
        nodes, kept | hub_service.images_of_others(run.hosts[run.manager], run.settings), run.manager
    )


def every_plan(run: Run) -> list[Plan]:
    """Plan every step of a deploy, in order, with what only a later step can know left open."""
    plans = {nodes.STEP: _attempt(nodes.STEP, lambda: nodes_plan(run))}
    if plans[nodes.STEP].error is not None:
        return list(plans.values())
    steps: Mapping[str, Callable[[], Plan]] = {
        network.STEP: lambda: network_plan(run),
        volume.STEP: lambda: volume_plan(run),
        certs.STEP: lambda: certs_plan(run),
        pull.STEP: lambda: images_plan(run, run.settings.hosts.all),
        build.STEP: lambda: hub_image_plan(run),
        firewall.STEP: lambda: firewall_plan(run, foresee=True),
        proxy.STEP: lambda: proxy_plan(run, lambda: _foreseen(run, plans)),
        users.STEP: lambda: user_plans.before_service(run),
        hub_service.STEP: lambda: service_plan(run, _foreseen(run, plans)),
    }
    for step, make in steps.items():
        plans[step] = _attempt(step, make)
        if step == users.STEP and not plans[step].changes:
            del plans[step]
        if step == pull.STEP:
            opened = _attempt(availability.PLACEMENT, lambda: _placement_plan(run))
            plans |= {availability.PLACEMENT: opened} if opened.changes else {}
    return list(plans.values())


def _placement_plan(run: Run) -> Plan:
    hosts = run.settings.hosts.all
    return on_nodes.placement_plan(run, hosts, wanted_images(run, hosts))


def _foreseen(run: Run, before: Mapping[str, Plan]) -> Parts:
    wanted = wanted_images(run, run.settings.hosts.all)
    return prerequisites.foresee(run.settings, run.look, run.manager, before, wanted)


def _attempt(step: str, make: Callable[[], Plan]) -> Plan:
    try:
        return make()
    except EngineError as error:
        return Plan(step, "", error=StepError(error.host, error.message, remedy(error), step))
    except StepErrors as error:  # no node answers: one of them says why
        return Plan(step, "", error=_of(step, error.errors[0]))
    except StepError as error:
        return Plan(step, "", error=_of(step, error))


def _of(step: str, error: StepError) -> StepError:
    return StepError(error.host, error.cause, error.remedy, step)
