"""The plan of each step of a deploy, from one look; a step alone and `fab plan` make it the same way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from pydantic import SecretStr

from swarmhub.certificate import certs
from swarmhub.certificate import own as own_certs
from swarmhub.cluster import availability, nodes
from swarmhub.deploy import on_nodes, prerequisites, rollout
from swarmhub.deploy.by_hand import standalone
from swarmhub.errors import StepError, StepErrors, UsageError
from swarmhub.firewall import firewall
from swarmhub.firewall import image as firewall_image
from swarmhub.firewall import rules as firewall_rules
from swarmhub.firewall import spec as firewall_spec
from swarmhub.host import EngineError
from swarmhub.images import build, builder, pull
from swarmhub.images.build import Base
from swarmhub.images.builder import NOTEBOOKS, Recipe
from swarmhub.images.pull import BUNDLE, Held, Holding
from swarmhub.notebooks import shared
from swarmhub.parallel import every
from swarmhub.plan.differences import known_after
from swarmhub.plan.plans import Cost, Plan, remedy
from swarmhub.run.run import Run
from swarmhub.services import hub as hub_service
from swarmhub.services import network, proxy, volume
from swarmhub.services.hub import Parts
from swarmhub.settings import outbound

SCHEDULE = "schedule"


def nodes_plan(run: Run) -> Plan:
    """Plan the step `nodes`, which changes nothing and may refuse."""
    run.look.everywhere()
    rows = nodes.compare(run.settings, run.look.members(), run.look.swarm(), run.manager)
    blocking = [row for row in rows if row.blocks]
    others = [f"{row.host} {row.problem}" for row in blocking[1:]]
    told = "; ".join(f"{row.host} {'is away: ' if row.is_away else ''}{row.problem}" for row in rows if row.problem)
    first = blocking[0] if blocking else None
    error = StepError(first.host, "; ".join([first.problem, *others]), first.remedy, nodes.STEP) if first else None
    error = error or prerequisites.elsewhere(run.look, run.manager)
    return Plan(nodes.STEP, told or f"{len(rows)} of {len(rows)} ready", error=error)


def network_plan(run: Run, *, recreate: bool = False) -> Plan:
    """Plan the step `network`.

    Raises:
        StepError: it differs and is in use; or this hub is not deployed yet, and another has the network, or such a name.

    """
    prerequisites.require_apart(run.settings, run.look, run.manager)
    if (holder := run.look.network_holder()) and run.look.service().service is None:
        cause = f"the network {run.settings.network.name} belongs to another hub, {holder}"
        raise StepError(run.manager, cause, "Name another one in hosts.toml: network.name")
    plan = network.plan(network.desired(run.settings), run.look.network(), run.manager, recreate=recreate)
    # To change that later stops everybody.
    told = (replace(one, gist=f"{one.gist}, {_room(run)}") if one.gist else one for one in plan.changes)
    plan = replace(plan, changes=tuple(told))
    if not run.settings.proxy.separate:
        return plan
    inner = network.plan(network.of_proxy(run.settings), run.look.proxy_network(), run.manager, recreate=recreate)
    return replace(plan, summary=f"{plan.summary}; {inner.summary}", changes=(*plan.changes, *inner.changes))


def _room(run: Run) -> str:
    from swarmhub.services import addresses  # only a network that is created needs it

    use = addresses.Use(run.settings.network.subnet or addresses.DOCKERS_CHOICE, 0, 0)
    return f"room for {addresses.room(use, len(run.settings.hosts.all), run.settings)} servers"


def volume_plan(run: Run) -> Plan:
    """Plan the step `volume`: the hub's own, and what shared folders need on the nodes: markers, and volumes to write to.

    Raises:
        StepError: another hub has it; a folder is not mounted.

    """
    if holder := run.look.volume_holder():
        cause = f"the volume {run.settings.volume.name} belongs to another hub, {holder}"
        raise StepError(run.manager, cause, "Name another one in hosts.toml: volume.name")
    plan = volume.plan(volume.desired(run.settings), run.look.volume(), run.manager)
    folders = [one for some in prerequisites.marking(run.settings, run.look, run.manager).values() for one in some]
    folders += [one for host in run.look.present() for one in shared.plan(run.settings, host, run.look.shared(host))]
    if run.look.volume():
        return replace(plan, changes=(*plan.changes, *folders))
    # A hub that is not taken over would go on next to the new one, which knows none of its users.
    told = "; ".join(f"{name}, which {hub} has" for hub, name in standalone.elsewhere(run.hosts[run.manager]))
    hint = f"; to take over a hub made by hand, set volume.name in hosts.toml to its volume: {told}" if told else ""
    return replace(plan, changes=(*(replace(one, gist=one.gist + hint) for one in plan.changes), *folders))


def certs_plan(run: Run) -> Plan:
    """Plan the step `certs`."""
    if not run.settings.proxy.takes_tls:
        return Plan(certs.STEP, "none is needed: TLS ends at the reverse proxy in front")
    now, front, found = datetime.now(UTC), run.look.proxy(), run.look.certificate()
    # A proxy of its own takes another certificate as it runs; the hub's own takes it when the hub restarts.
    cost = Cost.NOTHING if front else Cost.HUB_RESTART
    if own := own_certs.desired(run.settings, now):
        return own_certs.plan(own, run.settings.hub.domain, found, run.manager, now, cost)
    if front and found is None and run.settings.certs.is_by_http and not proxy.has_certificates(front):
        cause = "the proxy has port 80, where the certificate authority asks, and ran without a certificate so far"
        raise StepError(run.manager, cause, f"docker service rm {proxy.name(run.settings)}, then fab deploy: it is made again")
    wanted = replace(certs.desired(run.settings), by_proxy=proxy.answers_http(front), cost=cost, variables=_outbound(run))
    return certs.plan(wanted, found, run.manager, now)


def images_plan(run: Run, targets: Sequence[str]) -> Plan:
    """Plan the pulls of the notebook images on the `targets`."""
    return on_nodes.images_plan(run, targets, wanted_images(run, targets))


def wanted_images(run: Run, targets: Sequence[str]) -> dict[str, str]:
    """Map each notebook image to the digest or id that all nodes shall hold: the newest one where the run asks for it.

    Raises:
        StepError: no node can run one of them.

    """
    hosts = on_nodes.asked_for_images(run, targets)
    held = pull.reached(run.look.images(hosts), targets)
    _require_machines(run, hosts, held)
    found = {image: run.look.newest.get(image) or pull.chosen(image, _of(run, image, held)) for image in run.settings.images}
    # Nobody holds them yet, or they are about to be built again.
    found |= {recipe.tag: known_after(NOTEBOOKS) for recipe in _unbuilt(run)}
    found |= {image: known_after(BUNDLE) for image in _bundled(run)}
    unknown = [image for image, digest in found.items() if digest is None]
    asked = dict(zip(unknown, every([partial(run.look.registry_digest, image) for image in unknown]), strict=True))
    wanted = {image: digest or asked[image] for image, digest in found.items()}
    return pull.by_content(wanted, held) if on_nodes.knows_by_content(run) else wanted


def _require_machines(run: Run, hosts: Sequence[str], held: Mapping[str, Holding]) -> None:
    if foreign := [image for image in run.settings.images if not pull.of(image, held)]:
        found = [one for one in run.look.unfit(hosts) if one.image == foreign[0]]
        machines = ", ".join(sorted({one.machine for one in found}))
        cause = f"no node can run {foreign[0]}: it is for {', '.join(found[0].made_for)}, and the nodes are {machines}"
        raise StepError(run.manager, cause, "Name an image in hosts.toml that its registry has for them")


def _of(run: Run, image: str, held: Mapping[str, Holding]) -> Mapping[str, Held | None]:
    """Return what nodes hold of an image; where a bundle is given, those that hold what it has."""
    there = pull.of(image, held)
    if not run.bundle:
        return there
    from swarmhub.deploy import bundled  # most clusters reach a registry

    return bundled.voting(run.bundle, image, there)


def _bundled(run: Run) -> set[str]:
    """Return the notebook images that are yet to come from a bundle."""
    if not run.bundle:
        return set()
    from swarmhub.deploy import bundled

    return bundled.later(run, run.bundle)


def bundle_plan(run: Run) -> Plan:
    """Plan the step `bundle`, which a deploy with --bundle has.

    Raises:
        StepError: the bundle is for other engines or other settings.

    """
    if not run.bundle:
        return Plan(BUNDLE, "none is given")
    from swarmhub.deploy import bundled

    return bundled.plan(run, run.bundle)


def _is_bundled(run: Run, tag: str) -> bool:
    return run.bundle is not None and run.bundle.find(tag) is not None


def notebook_images_plan(run: Run) -> Plan:
    """Plan the step `build-notebook`: what no node holds, and what is built on an image whose tag has moved."""
    unbuilt = {recipe.tag for recipe in _unbuilt(run)}
    recipes = [replace(one, moved=run.look.moved) for one in run.recipes]
    held = [one.tag for one in recipes if one.tag not in unbuilt]
    return builder.plan(NOTEBOOKS, recipes, held, run.manager, _outbound(run), lane=f"{run.settings.hub.service}-notebook")


def _unbuilt(run: Run) -> list[Recipe]:
    """Return the notebook images to build, each after the one that it is built on."""
    if not run.recipes:
        return []
    seen = run.look.images(on_nodes.asked_for_images(run, [run.manager]))
    held = {host: one for host, one in seen.items() if not isinstance(one, StepError)}
    found: list[Recipe] = []
    for recipe in run.recipes:
        is_held = any(one.get(recipe.tag) for one in held.values()) or _is_bundled(run, recipe.tag)
        is_stale = recipe.tag not in run.look.newest and bool({*recipe.bases} & {*run.look.moved, *(one.tag for one in found)})
        if not is_held or is_stale:
            found.append(recipe)
    return found


def rebuilt(run: Run, plan: Plan) -> dict[str, str]:
    """Return the ids of the notebook images that were built by a plan: those that all nodes shall hold.

    Raises:
        StepError: the manager has lost one meanwhile.

    """
    held = run.look.held(run.manager) if plan.changes else {}
    found = {change.what: held[change.what] for change in plan.changes}
    if lost := [tag for tag, one in found.items() if one is None]:
        raise StepError(run.manager, f"does not hold {lost[0]}, which was built there", "Run this again")
    return {tag: one.id for tag, one in found.items() if one}


def hub_image_plan(run: Run, on: Base | None = None, *, for_bundle: bool = False) -> Plan:
    """Plan the step `build-hub`; `on` is a base to build on that no file names yet.

    `for_bundle` builds also what the images are built on where only that is lacking. What makes backups is built for it, and
    where the cluster makes them itself.
    """
    wanted = build.wanted(run.settings, on) if on else run.look.builds
    recipes = wanted
    if for_bundle or run.settings.backup.every:
        from swarmhub.images import restic  # most deploys do without

        recipes = (*(build.grounds(wanted) if for_bundle else ()), *wanted, *restic.wanted(run.settings))
    held = [one.tag for one in recipes if run.look.hub_image(one.tag) or _is_bundled(run, one.tag)]
    return builder.plan(build.STEP, recipes, held, run.manager, _outbound(run), lane=build.STEP if for_bundle else "")


def lock_packages(run: Run) -> str:
    """Choose the versions of hub.packages, write them down, and return what that changes.

    Raises:
        UsageError: hub.packages names none.

    """
    from swarmhub.images import packages  # most hubs need none

    settings = run.settings
    if not settings.hub.packages:
        raise UsageError("hub.packages in hosts.toml names no package")
    with run.report.working(packages.STEP, f"resolving hub.packages on {run.manager}"):
        text = packages.resolve(settings, run.hosts[run.manager], _outbound(run), run.report)
    return f"{settings.hub.packages_lock.name}: {packages.keep(settings, text)}"


def _outbound(run: Run) -> Mapping[str, SecretStr]:
    """Return the variables by which a program learns of the HTTP proxy; a build alone asks for no secrets without need."""
    settings = run.settings
    return outbound.variables(settings, run.secrets if settings.http_proxy.secret else {})


def firewall_plan(run: Run, *, foresee: bool = False) -> Plan:
    """Plan the step `firewall`; `foresee` tells that the step before it will have given every node the image.

    Raises:
        StepError: a node lacks the image.

    """
    hub, found = run.settings.hub.service, run.look.firewall()
    if not run.settings.firewall.enabled:
        return firewall.plan_none(hub, found, run.manager)
    if found.service is not None and not run.look.hosts_are_all():
        # A host's own addresses are asked of it: without them, servers would reach it.
        return Plan(firewall.STEP, "left as it is until all nodes answer")
    lacking = on_nodes.without_firewall(run, run.look.present())
    image = firewall.image(hub, found, [run.look.firewall_image(host) for host in lacking])
    if image is None and not foresee:
        bare = next(host for host in lacking if run.look.firewall_image(host) is None)
        raise StepError(bare, f"has no image {firewall_image.tag(hub)}", prerequisites.PULL)
    logs = run.look.member(run.manager).logs
    wanted = firewall_spec.desired(hub, image or known_after(pull.STEP), _rules(run), _isolated(run), logs)
    return firewall.plan(run.look.kept(wanted), found, run.manager)


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


def every_plan(run: Run) -> list[Plan]:
    """Plan every step of a deploy, in order, with what only a later step can know left open."""
    plans = {nodes.STEP: _attempt(nodes.STEP, lambda: nodes_plan(run))}
    if plans[nodes.STEP].error is not None:
        return list(plans.values())
    steps: Mapping[str, Callable[[], Plan]] = {
        network.STEP: lambda: network_plan(run),
        volume.STEP: lambda: volume_plan(run),
        **({BUNDLE: lambda: bundle_plan(run)} if run.bundle else {}),
        certs.STEP: lambda: certs_plan(run),
        **({NOTEBOOKS: lambda: notebook_images_plan(run)} if run.recipes else {}),
        pull.STEP: lambda: images_plan(run, run.look.present()),
        build.STEP: lambda: hub_image_plan(run),
        firewall.STEP: lambda: firewall_plan(run, foresee=True),
        hub_service.STEP: lambda: rollout.plan(run, _foreseen(run, plans)),
    }
    for step, make in steps.items():
        plans[step] = _attempt(step, make)
        if step == pull.STEP:
            opened = _attempt(availability.PLACEMENT, lambda: _placement_plan(run))
            plans |= {availability.PLACEMENT: opened} if opened.changes else {}
    scheduled = _attempt(SCHEDULE, lambda: _schedule_plan(run))
    return [*plans.values(), *([scheduled] if scheduled.summary or scheduled.error or scheduled.changes else [])]


def _schedule_plan(run: Run) -> Plan:
    if not run.look.has_schedule():
        return Plan(SCHEDULE, "")
    from swarmhub.deploy.data import schedule  # most clusters make no backups themselves

    return schedule.plan(run)


def _placement_plan(run: Run) -> Plan:
    hosts = run.look.present()
    return on_nodes.placement_plan(run, hosts, wanted_images(run, hosts))


def _foreseen(run: Run, before: Mapping[str, Plan]) -> Parts:
    wanted = wanted_images(run, run.look.present())
    return prerequisites.foresee(run.settings, run.look, run.manager, before, wanted)


def _attempt(step: str, make: Callable[[], Plan]) -> Plan:
    try:
        return make()
    except EngineError as error:
        return Plan(step, "", error=StepError(error.host, error.message, remedy(error), step))
    except StepErrors as error:  # no node answers: one of them says why
        return Plan(step, "", error=_step_of(step, error.errors[0]))
    except StepError as error:
        return Plan(step, "", error=_step_of(step, error))


def _step_of(step: str, error: StepError) -> StepError:
    return StepError(error.host, error.cause, error.remedy, step)
