"""The people: who is in, and the hub brought in line with the userlist."""

from datetime import UTC, datetime

from invoke.context import Context

from hub.userlist import parse
from swarmhub import hub_api, hub_image, shell
from swarmhub import users as chapter
from swarmhub.hub_api import HubApi
from swarmhub.run import Run
from swarmhub.shell import Place
from swarmhub.steps import step, step_task
from swarmhub.users import Found


@step_task(help={"json": "The same facts for machines."})
def users(c: Context, json: bool = False) -> None:
    """List who is in: why, since when they were not seen, and what they run."""
    with step(c, chapter.SHOW) as run:
        _, _, found = _look(run)
        people = chapter.people(found, run.settings.access)
        if json:
            run.report.json(chapter.as_json(people))
            return
        run.report.table(chapter.HEADS, chapter.rows(people, datetime.now(UTC)), chapter.styles(people))
        if parse(hub_image.userlist(run.settings), run.settings.access.provider)[0] != found.listed.current:
            run.report.line(chapter.SHOW, "the userlist here is another than the hub's. Next: fab users-sync", style="yellow")


@step_task(help={"yes": "Do not ask before people are removed."})
def users_sync(c: Context, yes: bool = False) -> None:
    """Bring the running hub in line with the userlist: who is new may log in, who is named no more is out."""
    with step(c, chapter.STEP) as run:
        run.check()
        api, place, found = _look(run)
        text, access = hub_image.userlist(run.settings), run.settings.access
        plan = chapter.plan(text, found, access, api, place)
        if removed := chapter.gone(parse(text, access.provider)[0], found):
            run.confirm(plan, chapter.question(removed))
        run.apply(plan)


def _look(run: Run) -> tuple[HubApi, Place, Found]:
    """Ask the hub that runs whom it knows."""
    api = hub_api.connect(run)
    place = shell.of_hub(run.look, run.hosts[run.manager], run.settings.hub.service)
    return api, place, chapter.observe(run.hosts[place.host], place, api, run.settings.access.provider)
