"""The people: who is in, who is away, and the hub brought in line with the userlist."""

from typing import TYPE_CHECKING

from invoke.context import Context

from swarmhub.errors import UsageError
from swarmhub.run.task import step, step_task

if TYPE_CHECKING:
    from swarmhub.run.run import Run


@step_task(
    help={
        "away": "List the homes of those who were not seen for so long, such as 180d.",
        "archive": "Save these homes in the archive: in the repository of [backup], where nothing removes them.",
        "free": "Save them there, and then remove them from the nodes.",
        "json": "Print JSON, for scripts.",
        "yes": "Do not ask before homes are removed.",
    }
)
def users(c: Context, away: str = "", archive: bool = False, free: bool = False, json: bool = False, yes: bool = False) -> None:
    """List the hub's users: where each comes from, when they were last seen, and what they run; or homes of those away."""
    from datetime import UTC, datetime

    from swarmhub.people import plans
    from swarmhub.people import users as room

    with step(c, room.SHOW) as run:
        if away:
            _away(run, away, archive=archive, free=free, json=json)
            return
        if archive or free:
            raise UsageError("--archive and --free are for the homes of those who are away; say for how long: --away 180d")
        found = plans.found(run)
        people = room.people(found, run.settings.access)
        if json:
            run.report.json(room.as_json(people))
            return
        run.report.table(room.HEADS, room.rows(people, datetime.now(UTC)), room.styles(people))
        for line in room.strangers(found):
            run.report.line(room.SHOW, line, style="red")
        if plans.wanted(run) != found.listed.current:
            run.report.line(room.SHOW, "the userlist here differs from the hub's. Next: fab users-sync", style="yellow")


def _away(run: "Run", typed: str, *, archive: bool, free: bool, json: bool) -> None:
    from swarmhub.deploy.data import archives
    from swarmhub.people import away as room
    from swarmhub.people.users import SHOW
    from swarmhub.settings.schema.grammar import seconds

    if json and (archive or free):
        raise UsageError("--json only lists: leave out --archive and --free, or --json")
    try:
        since = seconds(typed)
    except ValueError as error:
        raise UsageError(f"--away {error}") from None
    found = archives.observe(run, since)
    if json:
        run.report.json(room.as_json(found.homes))
        return
    if found.homes:
        run.report.table(room.HEADS, room.rows(found.homes, found.now))
    for line in (*found.left_out, *(() if found.homes else (f"nobody who was not seen for {typed} has a home",))):
        run.report.line(SHOW, line)
    if found.homes and (archive or free):
        plan = archives.plan(run, found, is_freed=free)
        if free:
            run.confirm(plan, room.question(found.homes))
        archives.apply(run, plan)


@step_task(help={"yes": "Do not ask before people are removed."})
def users_sync(c: Context, yes: bool = False) -> None:
    """Add and remove users on the running hub, so that it matches the userlist."""
    from swarmhub.people import plans
    from swarmhub.people import users as room

    with step(c, room.STEP) as run:
        run.check()
        plan, removed = plans.sync(run)
        if removed:
            run.confirm(plan, room.question(removed))
        run.apply(plan)


@step_task(help={"text": "The announcement; an empty text withdraws it."})
def announce(c: Context, text: str) -> None:
    """Tell everybody something now: on the hub's pages and in every open JupyterLab, without a restart."""
    from swarmhub.people import announcement as room
    from swarmhub.people import api as hub_api

    with step(c, room.STEP) as run:
        run.apply(room.plan(hub_api.connect(run), text, run.manager))
