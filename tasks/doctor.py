"""What commonly goes wrong, checked before and after a deploy."""

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.errors import FAILED
from swarmhub.run.task import step, step_task


@step_task(help={"json": "Print JSON, for scripts."})
def doctor(c: Context, json: bool = False) -> None:
    """Check everything that commonly goes wrong, on all hosts at once; each line says what helps."""
    from swarmhub import doctor as room
    from swarmhub import settings
    from swarmhub.doctor import finding

    with step(c, room.STEP) as run:
        with run.report.working(room.STEP, "checking every node"):
            findings = room.examine(run.settings, settings.path(), run.hosts, run.manager)
        if json:
            run.report.json(finding.as_json(findings))
        else:
            run.report.table(finding.HEADS, *finding.rows(findings))
            run.report.say(finding.count(findings))
        if finding.has_failed(findings):
            raise Exit(code=FAILED)
