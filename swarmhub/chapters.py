"""The plan of each step of the document, from one look; a step alone and `fab plan` make it the same way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from swarmhub import (
    availability,
    certs,
    hub_check,
    hub_image,
    images,
    network,
    node_plans,
    nodes,
    prerequisites,
    releases,
    rollback,
    service,
    volume,
)
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.plan import Plan, remedy
from swarmhub.releases import Release
from swarmhub.run import Run
from swarmhub.service import Parts


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
    plan = releases.around(plan, releases.draft(run.settings, wanted, parts, before), before, found.service, run.manager)
    return hub_check.before(plan, hub_check.change(wanted, service.mounted(run.secrets), run.manager), found.service)


def rollback_plan(run: Run, target: Release, *, with_database: bool) -> Plan:
    """Plan the way back to a release, on what there is now."""
    found = rollback.observe(run.hosts[run.manager], run.hosts, target, run.settings.hub.service)
    for error in found.unreached:
        run.report.log(error.host, f"left as it is: {error.cause}")
    return rollback.plan(target, run.look.releases(), found, run.manager, with_database=with_database)


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
            opened = _attempt(availability.ACTIVATE, lambda: node_plans.activation_plan(run, run.settings.hosts.all))
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
    except StepErrors as error:  # no node answers: one of them says why
        return Plan(step, "", error=_of(step, error.errors[0]))
    except StepError as error:
        return Plan(step, "", error=_of(step, error))


def _of(step: str, error: StepError) -> StepError:
    return StepError(error.host, error.cause, error.remedy, step)
