"""The notebook images."""

from typing import TYPE_CHECKING

from invoke.context import Context

from swarmhub.errors import StepErrors
from swarmhub.run.task import step, step_task

if TYPE_CHECKING:
    from swarmhub.plan.plans import Plan
    from swarmhub.run.run import Run


@step_task()
def prepull(c: Context) -> None:
    """Pull the notebook images on the nodes that -H names, and allow servers there."""
    with step(c, "prepull", on_nodes=True) as run:
        _pull(run, run.nodes)


@step_task(help={"newer": "Ask the registries whether tags have moved, pull what is newer, and give it to the hub."})
def prepull_all(c: Context, newer: bool = False) -> None:
    """Pull the notebook images on every node, and allow servers there."""
    with step(c, "prepull-all") as run:
        if newer:
            _find_newer(run)
        _pull(run, run.settings.hosts.all)
        if newer:
            from tasks.hub import roll_out

            roll_out(run)


@step_task(help={"verbose": "Show all output of a build."})
def build_notebook(c: Context, verbose: bool = False) -> None:
    """Build your own notebook images on the manager, if what goes into them has changed; the next deploy uses them."""
    from swarmhub.images import builder

    with step(c, builder.NOTEBOOKS) as run:
        _build(run)


def _build(run: "Run") -> None:
    from swarmhub.deploy import steps

    if run.recipes:
        plan = steps.notebook_images_plan(run)
        run.apply(plan)
        run.look.newest = {**run.look.newest, **steps.rebuilt(run, plan)}


@step_task()
def all_images(c: Context) -> None:
    """Pull the notebook images on every node, and build the hub's on the manager at the same time."""
    from swarmhub.deploy import steps

    with step(c, "images") as run:
        _pull(run, run.look.present(), steps.hub_image_plan(run))


def _find_newer(run: "Run") -> None:
    from swarmhub.deploy.images import newer
    from swarmhub.images import pull as room

    run.check()
    with run.report.working(room.STEP, "asking the registries"):
        found = newer.ask(run)
        bases = newer.bases(run, found)
    for line in newer.told(run, found, bases):
        run.report.line(room.STEP, line)
    run.look.newest = {image: digest for image, digest in found.items() if isinstance(digest, str)}
    run.look.moved = newer.moved(found, bases)


def _pull(run: "Run", nodes: tuple[str, ...], *builds: "Plan") -> None:
    from swarmhub.deploy import on_nodes, steps
    from swarmhub.images import declared
    from swarmhub.images import pull as room

    _build(run)
    wanted = steps.wanted_images(run, nodes)
    pulls, brings = room.apart(steps.images_plan(run, nodes))
    run.report.notes(pulls)
    try:
        run.apply(*([] if brings.changes and not pulls.changes else [pulls]), *builds)
    except StepErrors as error:
        wanted |= _bring(run, error, wanted, nodes)
    if brings.changes:  # by the hub's image, which may just have been built
        run.apply(brings)
    room.verify(wanted, run.look.images(nodes))
    said = declared.judged(run.settings, room.declarations(run.look.images(nodes).values()))
    for image, told in said.items():
        for cause, remedy in told:
            run.report.line(room.STEP, f"{image} {cause}. {remedy}", style="yellow")
    opened = on_nodes.placement_plan(run, nodes, wanted)
    if opened.changes:
        run.apply(opened)


def _bring(run: "Run", failed: StepErrors, wanted: dict[str, str], nodes: tuple[str, ...]) -> dict[str, str]:
    """Bring the images that registries do not give from nodes that hold them; return by which ids they are wanted then."""
    from swarmhub.deploy.images import bring
    from swarmhub.transfer.plan import STEP

    run.look.forget()
    plans, ids = bring.instead(run, failed, wanted, nodes)
    for error in failed.errors:
        run.report.line(STEP, f"{error.host} {error.cause}; another node has it", style="yellow")
    for plan in plans:
        run.apply(plan)
    run.look.newest = {image: ids.get(image, digest) for image, digest in run.look.newest.items()}
    if any(ids[image] != wanted[image] for image in ids):  # the hub is told of them by these
        run.show_again()
    return ids


@step_task(help={"out": "The file to write."})
def bundle(c: Context, out: str = "swarmhub-bundle.tar") -> None:
    """Write all images of a deploy into one file, for a network without internet: pull and build them on the manager first."""
    from pathlib import Path

    from swarmhub.deploy import steps
    from swarmhub.deploy.images import bundled
    from swarmhub.images.bundle import STEP

    with step(c, STEP) as run:
        run.leave_out_all_but_the_manager()
        run.journal.has_swarm = run.journal.leaves_entry = run.look.member(run.manager).is_manager
        _pull(run, (run.manager,), steps.hub_image_plan(run, for_bundle=True))
        run.apply(bundled.certbot_plan(run))
        run.report.line(STEP, bundled.make(run, Path(out)), style="green")


@step_task()
def load_bundle(c: Context) -> None:
    """Load what the manager lacks from the bundle that --bundle names."""
    with step(c, "bundle") as run:
        if run.bundle:
            from swarmhub.deploy import steps

            run.apply(steps.bundle_plan(run))


@step_task(help={"yes": "Do not ask."})
def prune(c: Context, yes: bool = False) -> None:
    """Remove old images, configs and left-over containers that neither the settings nor a kept release needs, on every node."""
    from swarmhub.deploy import membership
    from swarmhub.teardown import prune as room

    with step(c, room.STEP) as run:
        plan = membership.prune_plan(run)
        if plan.changes:
            run.confirm(plan, "Remove all this?")
        run.journal.leaves_entry = False
        run.apply(plan)
