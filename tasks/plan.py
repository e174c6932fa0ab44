"""What would change, before anything does."""

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.errors import DIFFERS, FAILED
from swarmhub.run.task import step, step_task


@step_task(
    help={
        "json": "Print it for machines.",
        "commands": "Add the docker command that a person would type for each change.",
        "exit-code": "Exit with 3 if something would change.",
    }
)
def plan(c: Context, json: bool = False, commands: bool = False, exit_code: bool = False) -> None:
    """Show what a deploy would change, and what that costs the people working; change nothing."""
    with step(c, "plan") as run:
        run.check()
        run.connect()
        from swarmhub.deploy import steps as chapters

        steps = chapters.every_plan(run)
        run.report.steps(steps, as_json=json, commands=commands)
        if any(plan.error for plan in steps):
            raise Exit(code=FAILED)
        if exit_code and any(plan.changes for plan in steps):
            raise Exit(code=DIFFERS)


@step_task()
def agree(c: Context) -> None:
    """Show the plan of the whole deploy, ask if it costs people something, and lock the cluster."""
    from swarmhub.deploy import steps as chapters

    with step(c, "plan") as run:
        run.show(chapters.every_plan(run))
