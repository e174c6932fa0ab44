"""The swarm's nodes, and the overlay network."""

from invoke.context import Context

from swarmhub.errors import StepError
from swarmhub.run.task import step, step_task


@step_task()
def nodes(c: Context) -> None:
    """List the swarm's nodes and the hosts of hosts.toml, with what is wrong and what helps."""
    with step(c, "nodes") as run:
        run.connect()
        from swarmhub.cluster import nodes as members

        run.look.everywhere()
        rows = members.compare(run.settings, run.look.members(), run.look.swarm(), run.manager)
        run.report.nodes(rows)
        blocking = [row.host for row in rows if row.blocks]
        if blocking:
            raise StepError(run.manager, f"not ready: {', '.join(blocking)}", "See above what to do")


@step_task(help={"recreate": "Stop the services on a network that differs, and replace it.", "yes": "Do not ask."})
def network(c: Context, recreate: bool = False, yes: bool = False) -> None:
    """Create the overlay networks of hub, proxy and notebooks."""
    from swarmhub.deploy import steps
    from swarmhub.services import network as room

    with step(c, room.STEP) as run:
        if recreate:
            run.show([steps.network_plan(run, recreate=True)])
        run.apply(steps.network_plan(run, recreate=recreate))
