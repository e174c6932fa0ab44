"""The TLS certificate."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task()
def certs(c: Context) -> None:
    """Get the TLS certificate with certbot on the manager; keep one that is still valid."""
    from swarmhub.certificate import certs as room
    from swarmhub.deploy import steps

    with step(c, room.STEP) as run:
        run.apply(steps.certs_plan(run))
