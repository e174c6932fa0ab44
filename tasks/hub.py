"""The hub's image, its service, and a whole deploy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from swarmhub.run.task import step, step_task
from tasks.backups import backup_schedule
from tasks.certs import certs
from tasks.firewall import firewall
from tasks.images import all_images, load_bundle
from tasks.network import network, nodes
from tasks.plan import agree
from tasks.volume import volume

if TYPE_CHECKING:
    from swarmhub.run.run import Run

VERBOSE = {"verbose": "Show all output of a build."}


@step_task()
def check(c: Context) -> None:
    """Check hosts.toml, the userlist and the secrets, without connecting to anything."""
    with step(c, "check") as run:
        run.check()
        run.report.line("check", f"settings, userlist and secrets are in order; the manager is {run.manager}")


@step_task(help={"fresh": "Build both again, on the newest base image and with Debian's newest packages.", **VERBOSE})
def build_hub(c: Context, fresh: bool = False, verbose: bool = False) -> None:
    """Build the images of hub and proxy on the manager, if what goes into them has changed; the next deploy runs them."""
    from swarmhub.deploy import steps
    from swarmhub.images.hub import build

    with step(c, build.STEP) as run:
        if fresh:
            _build_fresh(run)
        else:
            run.apply(steps.hub_image_plan(run))


def _build_fresh(run: "Run") -> None:
    from swarmhub.deploy import steps
    from swarmhub.deploy.images import newer
    from swarmhub.images.hub import base, build

    with run.report.working(build.STEP, "asking the registry"):
        on, said = newer.base(run)
    if said:
        run.report.line(build.STEP, said, style="yellow")
    run.apply(steps.hub_image_plan(run, on))
    # Not before it is built: a base that does not come, or breaks the build, changes nothing.
    run.report.line(build.STEP, f"{base.keep(run.settings, on)}: {on.shown}. To run it: fab deploy")


@step_task(help=VERBOSE)
def lock_hub(c: Context, verbose: bool = False) -> None:
    """Choose the versions of hub.packages on the manager, and write them with their hashes into hub.packages_lock."""
    from swarmhub.deploy import steps
    from swarmhub.images.hub import packages

    with step(c, packages.STEP) as run:
        run.report.line(packages.STEP, steps.lock_packages(run))


@step_task()
def proxy(c: Context) -> None:
    """Create or update the proxy's service and the certificate's renewal, unless proxy.separate is false."""
    from swarmhub.deploy import prerequisites, rollout
    from swarmhub.services import proxy as front

    with step(c, front.STEP) as run:
        run.check()
        is_separate = run.settings.proxy.separate
        parts = prerequisites.require(run.settings, run.look, run.manager) if is_separate else None
        run.apply(rollout.proxy_plan(run, parts))
        _ensure(run, front.STEP, *_of_front(run))


@step_task(help={"yes": "Do not ask before notebooks stop or people are removed."})
def service(c: Context, yes: bool = False) -> None:
    """Roll out the hub: check its configuration, update proxy, people and hub where they differ, and record the release."""
    from swarmhub.services.hub import service as room

    with step(c, room.STEP) as run:
        run.check()
        roll_out(run)


@step_task(help={"yes": "Do not ask."})
def move_database(c: Context, yes: bool = False) -> None:
    """Move the hub's database from SQLite to the PostgreSQL server of [database], or back, as hosts.toml says."""
    from dataclasses import replace

    from swarmhub.deploy import prerequisites, rollout
    from swarmhub.deploy.data import databases

    with step(c, databases.STEP) as run:
        run.check()
        parts = prerequisites.require(run.settings, run.look, run.manager)
        if told := databases.unmoved(run, parts.hub_image):
            run.report.line(databases.STEP, told)
            return
        plan = replace(rollout.plan(run, parts, moves=True), step=databases.STEP)
        run.confirm(plan, "Go on?")
        run.apply(plan)
        _ensure(run, databases.STEP, *_of_front(run), run.settings.hub.service)
        run.look.forget()
        run.report.line(databases.STEP, f"{databases.unmoved(run, parts.hub_image)}, {run.seconds:.0f} s", style="bold green")


def roll_out(run: "Run") -> None:
    """Bring the hub in line with the settings and with the images that the nodes hold."""
    from swarmhub.deploy import prerequisites, rollout
    from swarmhub.services.hub import service as room

    run.apply(rollout.plan(run, prerequisites.require(run.settings, run.look, run.manager)))
    _ensure(run, room.STEP, *_of_front(run), run.settings.hub.service)


def _of_front(run: "Run") -> list[str]:
    """Return the names of the services that stand before the hub."""
    from swarmhub.services import proxy as front
    from swarmhub.services import renewal

    settings = run.settings
    renewing = [renewal.name(settings)] if renewal.is_wanted(settings) else []
    return [front.name(settings), *renewing] if settings.proxy.separate else []


def _ensure(run: "Run", step: str, *services: str) -> None:
    from swarmhub.engine.swarm import converge

    for service in services:
        with run.report.working(step, f"waiting until the service {service} runs"):
            converge.ensure(run.hosts[run.manager], service, run.report, run.look.running(service))


@step_task(positional=["host"], help={"host": "The manager to move the hub to.", "yes": "Do not ask."})
def move_hub(c: Context, host: str, yes: bool = False) -> None:
    """Move the hub to another manager, with its data, certificate and images; servers go on."""
    from swarmhub.deploy.data import moving

    with step(c, moving.STEP) as run:
        run.require_known(host, host)
        plan = moving.plan(run, host)
        if plan.changes:
            run.confirm(plan, moving.question(run.settings, host))
        run.apply(plan)
        for line in moving.next_steps(run.settings, host, moving.address(run, host)):
            run.report.line(moving.STEP, f"now, {line}", style="bold")


@step_task(
    pre=[check, nodes, agree, network, volume, load_bundle, certs, all_images, firewall, service, backup_schedule],
    iterable=["without"],
    help={
        "without": "Leave a host out; may be given several times.",
        "yes": "Do not ask. Without a terminal, a deploy that would stop notebooks or remove people needs this.",
        "smoke": "After the deploy, run `fab smoke`: prove on every node that notebooks work.",
        "details": "Show every field of what is created.",
        "bundle": "Take the images from this file, which fab bundle has written; no registry is needed then.",
        **VERBOSE,
    },
)
def deploy(
    c: Context,
    without: Sequence[str] | None = None,
    yes: bool = False,
    smoke: bool = False,
    details: bool = False,
    bundle: str = "",
    verbose: bool = False,
) -> None:
    """Show the plan, ask, run every step, and check that the hub answers."""
    from swarmhub.certificate import certs as certificates
    from swarmhub.certificate import health
    from swarmhub.certificate.https import Route

    with step(c, health.STEP) as run:
        address = health.url(run.secrets["OAUTH_CALLBACK_URL"].get_secret_value())
        certificate = certificates.require(run.look.certificate(), run.settings, run.manager)
        with run.report.working(health.STEP, f"waiting for {address}"):
            way = Route(run.hosts[run.manager], run.settings.hub.port)
            trust = health.trust(run.look.authorities(), certificates.desired(run.settings), certificate)
            health.check(address, trust, way)
        run.report.done(address, run.changed, run.seconds, by=run.manager if way.is_by_manager else "")
    if smoke:
        from swarmhub.smoke import proof

        with step(c, proof.STEP) as run:
            proof.prove(run, run.look.present())
