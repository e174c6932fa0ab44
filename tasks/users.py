"""The people: who is in, and the hub brought in line with the userlist."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(help={"json": "Print JSON, for scripts."})
def users(c: Context, json: bool = False) -> None:
    """List the hub's users: where each comes from, when they were last seen, and what they run."""
    from datetime import UTC, datetime

    from swarmhub.people import plans
    from swarmhub.people import users as room

    with step(c, room.SHOW) as run:
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
