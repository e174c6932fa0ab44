"""Whether notebooks work, tried as people use them."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(help={"profile": "The profile to try. Default: the first."})
def smoke(c: Context, profile: str = "") -> None:
    """Start a server on every node (or those of -H) as a test user, run code, stop, start, find the files; clean up."""
    from swarmhub.smoke import proof as room

    with step(c, room.STEP, on_nodes=True) as run:
        run.check()
        run.journal.leaves_entry = False
        room.prove(run, run.nodes, profile)
