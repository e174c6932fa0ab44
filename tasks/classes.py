"""A class: its nodes made ready before nine o'clock, its files saved after the term."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.errors import FAILED, StepError, StepErrors, UsageError
from swarmhub.run.task import step, step_task
from tasks.images import prepull_all

if TYPE_CHECKING:
    from swarmhub.cluster.nodes import Member
    from swarmhub.host import Host, Json
    from swarmhub.people.api import HubApi
    from swarmhub.people.starts import Stopper
    from swarmhub.run.run import Run

HELP = {"roster": "CSV with the header name,group, or the export of a learning platform.", "yes": "Do not ask."}


@step_task(
    positional=["roster"],
    help=HELP | {"start": "Start everybody's server, too.", "at-once": "How many servers start at a time."},
)
def class_prepare(c: Context, roster: str, start: bool = False, at_once: int = 4, yes: bool = False) -> None:
    """Pull all images, and check that the nodes have room for a class; with --start, start its servers."""
    from pathlib import Path

    from swarmhub.classes import people, readiness
    from swarmhub.classes import roster as rosters

    with step(c, readiness.PREPARE) as run:
        read = rosters.load(Path(roster), run.settings.access.provider)
        class_ = read.people
        if at_once < 1:
            raise UsageError("--at-once says how many servers start at a time: at least 1")
        run.check()
        if read.said:
            run.report.line(readiness.STEP, read.said)
        prepull_all(c)
        api, known = _hub(run, is_needed=start)
        for line in people.warnings(run.settings, class_, known if api else None):
            run.report.line(readiness.STEP, line, style="yellow")
        seen = readiness.observe(run.settings, class_, run.hosts[run.manager], _members(run))
        outlook = readiness.judge(run.settings, class_, known, seen)
        run.report.table(readiness.HEADS, readiness.rows(outlook))
        run.report.line(readiness.STEP, readiness.verdict(outlook), style="bold red" if outlook.shortages else "bold green")
        if outlook.shortages:
            raise Exit(code=FAILED)
        if start and api:
            _start(run, api, [server.user for server in outlook.packing.placed if server.user in known], at_once)


@step_task(
    positional=["roster"],
    help=HELP
    | {
        "to": "Save them as files in this folder here. Default: in the repository of [backup], if there is one; else archives.",
        "keep": "Save only: the homes stay.",
    },
)
def class_archive(c: Context, roster: str, to: str = "", keep: bool = False, yes: bool = False) -> None:
    """Save the homes of a class in the archive, or as files of this machine, then remove them from the nodes."""
    from datetime import date
    from pathlib import Path

    from swarmhub.classes import archive
    from swarmhub.classes import roster as rosters
    from swarmhub.deploy.data import archives
    from swarmhub.notebooks import leaving

    with step(c, archive.STEP) as run:
        names = [person.name for person in rosters.load(Path(roster), run.settings.access.provider).people]
        manager, nodes = run.hosts[run.manager], archives.nodes(run)
        found = leaving.observe(run.settings, names, manager, nodes)
        stop = _stopper(run, list(nodes.values())) if found.working else None
        if is_here := bool(to) or not run.settings.backup.repository:
            places = archive.files(found.homes, Path(to or "archives") / date.today().isoformat(), run.settings.notebook.image)
        else:
            places = [archives.archive(run)] * len(found.homes) if found.homes else []
        plan = archive.plan(found, run.settings, places, manager, stop, keep=keep)
        if without := found.without(names):
            run.report.line(archive.STEP, f"no home: {', '.join(without)}")
        if plan.changes and not (keep and stop is None):
            run.confirm(plan, archive.question(found, "on this machine" if is_here else "in the archive", keep=keep))
        archives.apply(run, plan)


def _members(run: "Run") -> "list[tuple[Member, Host]]":
    """Return the hosts that answer."""
    members = run.look.members()
    return [(one, run.hosts[host]) for host, one in members.items() if not isinstance(one, StepError)]


def _stopper(run: "Run", nodes: "Sequence[Host]") -> "Callable[[str], Stopper]":
    from swarmhub.people import api as hub_api
    from swarmhub.people.starts import Stopper

    api, hub = hub_api.connect(run), run.settings.hub.service
    return lambda user: Stopper(api, user, hub, nodes)


def _hub(run: "Run", *, is_needed: bool) -> "tuple[HubApi | None, Mapping[str, Json]]":
    """Ask the hub whom it knows; one that does not run yet knows nobody."""
    from swarmhub.people import api as hub_api

    try:
        api = hub_api.connect(run)
        return api, {user["name"]: user for user in api.users()}
    except StepError:
        if is_needed:
            raise
        return None, {}


def _start(run: "Run", api: "HubApi", names: Sequence[str], most: int) -> None:
    from swarmhub.classes import readiness
    from swarmhub.people import starts

    if not names:
        return
    run.agree(f"Start {len(names)} server{'' if len(names) == 1 else 's'}, {most} at a time?")
    with run.report.working(readiness.STEP, f"starting {len(names)} servers"):
        failed = starts.start_all(api, names, most, lambda text: run.report.line(readiness.STEP, text))
    if failed:
        raise StepErrors(
            *(StepError(one.host, f"{name} has no server: {one.cause}", one.remedy) for name, one in failed.items())
        )
