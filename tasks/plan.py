"""What would change, before anything does."""

from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.errors import DIFFERS, FAILED
from swarmhub.run.task import step, step_task

LOOKING = "looking at every node"


@step_task(
    iterable=["without"],
    help={
        "without": "Leave a host out; may be given several times.",
        "json": "Print JSON, for scripts.",
        "details": "Show every field of what would be created.",
        "commands": "Add the docker command for each change that you could type yourself.",
        "bundle": "Plan a deploy that takes the images from this file, which fab bundle has written.",
        "exit-code": "Exit with 3 if there is something to change.",
    },
)
def plan(
    c: Context,
    without: Sequence[str] | None = None,
    json: bool = False,
    details: bool = False,
    commands: bool = False,
    bundle: str = "",
    exit_code: bool = False,
) -> None:
    """Show what a deploy would change, and whom that would interrupt; change nothing."""
    with step(c, "plan") as run:
        run.check()
        run.connect()
        from swarmhub.deploy import steps as planning

        with run.report.working("plan", LOOKING):
            steps = planning.every_plan(run)
        run.report.steps(steps, as_json=json, commands=commands)
        if any(plan.error for plan in steps):
            raise Exit(code=FAILED)
        if exit_code and any(plan.changes for plan in steps):
            raise Exit(code=DIFFERS)


@step_task()
def agree(c: Context) -> None:
    """Show the plan of the whole deploy, ask if it interrupts somebody, and lock the cluster."""
    from swarmhub.deploy import steps as planning

    with step(c, "plan") as run:
        with run.report.working("plan", LOOKING):
            steps = planning.every_plan(run)
        run.show(steps)
