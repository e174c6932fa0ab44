"""The data volume."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task()
def volume(c: Context) -> None:
    """Create the hub's data volume on the manager."""
    from swarmhub.deploy import steps
    from swarmhub.services import volume as room

    with step(c, room.STEP) as run:
        run.apply(steps.volume_plan(run))
